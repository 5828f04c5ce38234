import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readWrmHeader } from '../../../../src/formats/drm/payloads/wrm-header.ts'
import { kidOf, type PlayReadyVectors, vectors } from '../vectors.ts'

const { origin, objects, kid, laUrl } = vectors<PlayReadyVectors>('playready.json')
const refused = { code: 'ERR_PLAYREADY_OBJECT_INVALID' }
const utf16 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf16le'))
const header40 = objects[0]?.header ?? assert.fail()

for (const { version, header, algid, checksum } of objects) {
  describe(`WRMHEADER vector: ${version} (${origin})`, () => {
    test('is read', () => {
      assert.deepEqual(readWrmHeader(utf16(header)), { version, keys: [{ kid: kidOf(kid), algid, checksum }], laUrl })
    })
    test('rejects every truncation', () => {
      const bytes = utf16(header)
      for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => readWrmHeader(bytes.slice(0, length)), refused)
      }
    })
  })
}

test('a header for embedded licences may name no key', () => {
  const header = header40.replace('4.0.0.0', '4.1.0.0').replace(/<DATA>.*<\/DATA>/, '<DATA></DATA>')
  assert.deepEqual(readWrmHeader(utf16(header)), { version: '4.1.0.0', keys: [], laUrl: undefined })
})

for (const [why, change] of [
  ['a byte order mark', (header: string) => `\ufeff${header}`],
  ['an XML declaration', (header: string) => `<?xml version="1.0" encoding="utf-16"?>${header}`],
  ['a document type', (header: string) => `<!DOCTYPE WRMHEADER>${header}`],
  ['another root', (header: string) => header.replaceAll('WRMHEADER', 'HEADER')],
  ['another namespace', (header: string) => header.replace('PlayReadyHeader', 'Other')],
  ['a version of the future', (header: string) => header.replace('4.0.0.0', '4.9.0.0')],
  ['a version that is a property of every object', (header: string) => header.replace('4.0.0.0', 'constructor')],
  ['no version', (header: string) => header.replace(' version="4.0.0.0"', '')],
  ['no DATA', (header: string) => header.replaceAll('DATA', 'DATE')],
  ['no KID', (header: string) => header.replace(/<KID>.*<\/KID>/, '')],
  ['two KID elements in 4.0', (header: string) => header.replace(/(<KID>.*<\/KID>)/, '$1$1')],
  ['a KID of 15 bytes', (header: string) => header.replace(/<KID>.*<\/KID>/, '<KID>AAAAAAAAAAAAAAAAAAAA</KID>')],
  ['a lone surrogate', (header: string) => header.replace('https', '\ud800')],
] as const) {
  test(`rejects ${why}`, () => assert.throws(() => readWrmHeader(utf16(change(header40))), refused))
}
