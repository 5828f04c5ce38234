import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  PLACEHOLDERS,
  printTextTemplate,
  readTextTemplate,
  type TemplatePlace,
} from '../../../../src/formats/drm/template/text.ts'
import { filled, inputWith } from '../signaling.ts'

const print = (text: string, place: TemplatePlace = 'text'): string | undefined => {
  const input = inputWith({ contentId: 'a"<é', explicitIv: 'derived', keyUrl: 'https://k/?a&b' })
  return filled(printTextTemplate(readTextTemplate(text, 'test'), place, input))
}

/** The forms of the kid are those of the DASH-IF ClearKey sample pair. */
const VALUES: Readonly<Record<string, string>> = {
  kid: '9eb4050d-e44b-4802-932e-27d75083e266',
  kidHex: '9eb4050de44b4802932e27d75083e266',
  kidBase64: 'nrQFDeRLSAKTLifXUIPiZg==',
  kidTextBase64: 'OWViNDA1MGQtZTQ0Yi00ODAyLTkzMmUtMjdkNzUwODNlMjY2',
  kidBase64Url: 'nrQFDeRLSAKTLifXUIPiZg',
  kidGuidBase64: 'DQW0nkvkAkiTLifXUIPiZg==',
  kidGuidHex: '0d05b49e4be40248932e27d75083e266',
  contentId: 'a"<é',
  contentIdBase64: 'YSI8w6k=',
  contentIdBase64Url: 'YSI8w6k',
  contentIdHex: '61223cc3a9',
  scheme: 'cenc',
  iv: 'ABEiM0RVZneImaq7zN3u/w==',
  ivHex: '00112233445566778899aabbccddeeff',
  keyUrl: 'https://k/?a&b',
  clearKeyLicenseUrl: 'https://lic.example.com/clearkey',
}

test('every placeholder is in the table below', () => assert.deepEqual(PLACEHOLDERS, Object.keys(VALUES)))

for (const [name, value] of Object.entries(VALUES)) {
  test(`{${name}}`, () => assert.equal(print(`<{${name}}>`), `<${value}>`))
}

describe('values are escaped for their place', () => {
  for (const [place, expected] of [
    ['text', 'a"<é https://k/?a&b'],
    ['json', 'a\\"<é https://k/?a&b'],
    ['xml', 'a&quot;&lt;é https://k/?a&amp;b'],
    ['uri', 'a%22%3C%C3%A9 https://k/?a&b'],
  ] as const) {
    test(place, () => assert.equal(print('{contentId} {keyUrl}', place), expected))
  }
})

test('braces around anything but a name are text', () => {
  assert.equal(
    print('{"a":{"b":"{scheme}"}} {} {1} { kid } {{kidHex}}'),
    `{"a":{"b":"cenc"}} {} {1} { kid } {${VALUES.kidHex}}`,
  )
})

test('a value is not read as a template', () => {
  const input = inputWith({ contentId: '{kid}$&' })
  assert.equal(filled(printTextTemplate(readTextTemplate('{contentId}', 'test'), 'text', input)), '{kid}$&')
})
