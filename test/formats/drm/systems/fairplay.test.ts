import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { fillText, type Template } from '../../../../src/core/template.ts'
import { signalElements } from '../../../../src/formats/drm/elements.ts'
import type { KeyFilling, SignalInput } from '../../../../src/formats/drm/system.ts'
import { MAX_SKD_LENGTH, readSkd } from '../../../../src/formats/drm/systems/fairplay.ts'
import {
  decodedElements,
  fairplay,
  filled,
  hlsAttributesOf,
  IV,
  inputWith,
  KID,
  type SignalingVectors,
  settingsWith,
  testFilling,
} from '../signaling.ts'
import { vectors } from '../vectors.ts'

const vector = vectors<SignalingVectors>('signaling.json')
const refused = { code: 'ERR_CONFIG_INVALID' }
const ivBase64 = Buffer.from(IV).toString('base64')
const ivHex = Buffer.from(IV).toString('hex')

const skdOf = (skd: string, changes: Partial<SignalInput> = {}): string => {
  const settings = settingsWith({ fairplay: { skd } })
  const input = inputWith({ commonEncryptionScheme: 'cbcs', explicitIv: 'derived', settings, ...changes })
  return fillText(fairplay.signal(input, fairplay).uriExtXKey ?? assert.fail(), testFilling())
}
const jsonOf = (uri: string): string => Buffer.from(uri.slice('skd://'.length), 'base64').toString()

describe(`FairPlay vectors (${vector.origin})`, () => {
  const changes = { commonEncryptionScheme: 'cbcs', settings: settingsWith({ fairplay: { skd: 'kid' } }) } as const

  test('the HLS lines', () => {
    const { hlsMedia, hlsMaster } = decodedElements(fairplay, changes)
    assert.equal(hlsMedia, vector.hls_fairplay)
    assert.equal(hlsMaster, vector.hls_fairplay_session)
    assert.equal(filled(signalElements(fairplay, inputWith(changes)).hlsMedia), vector.hls_fairplay_b64)
  })
  test('the SPEKE 1.0 elements', () => {
    const { uriExtXKey, keyFormat, keyFormatVersions } = decodedElements(fairplay, changes)
    assert.equal(uriExtXKey, `skd://${KID}`)
    assert.equal(keyFormat, 'com.apple.streamingkeydelivery')
    assert.equal(keyFormatVersions, '1')
    assert.equal(filled(signalElements(fairplay, inputWith(changes)).keyFormatVersions), 'MQ==')
  })
  test('neither a box nor ContentProtectionData', () => {
    const elements = signalElements(fairplay, inputWith(changes))
    assert.deepEqual(Object.keys(elements), ['hlsMedia', 'hlsMaster', 'uriExtXKey', 'keyFormat', 'keyFormatVersions'])
    assert.equal(fairplay.refusesContentProtectionData, true)
  })
})

describe('the skd URI of the MediaPackage guide', () => {
  const expected = `{"ContentId":"content-0001","KeyId":"${KID}","IV":"${ivBase64}"}`

  test('holds content, key and IV in that order', () => assert.equal(jsonOf(skdOf('aws-json')), expected))
  test('is the same for an IV of the request, in canonical base64', () => {
    assert.equal(jsonOf(skdOf('aws-json', { explicitIv: ivBase64 })), expected)
    const sloppy = ivBase64.replace('w==', 'x==')
    assert.notEqual(sloppy, ivBase64)
    assert.equal(jsonOf(skdOf('aws-json', { explicitIv: sloppy })), expected)
  })
  test('tells no IV where none is returned', () => {
    assert.equal(jsonOf(skdOf('aws-json', { explicitIv: undefined })), `{"ContentId":"content-0001","KeyId":"${KID}"}`)
  })
  test('a derived IV is a hole until the answer is made', () => {
    const { uriExtXKey } = fairplay.signal(inputWith({ explicitIv: 'derived' }), fairplay)
    assert.equal(uriExtXKey?.holes.length, 1)
    assert.ok(!jsonOf(uriExtXKey?.text ?? '').includes(ivBase64))
  })
  test('the line has no IV attribute', () => {
    const line = decodedElements(fairplay, { explicitIv: 'derived' }).hlsMedia ?? ''
    assert.deepEqual(Object.keys(hlsAttributesOf(line)), ['METHOD', 'URI', 'KEYFORMAT', 'KEYFORMATVERSIONS'])
  })
})

describe("Axinom's skd URI (https://docs.axinom.com/services/drm/license-service/fairplay/preparing-fps)", () => {
  test('is the key id and the IV in hex', () => {
    assert.equal(skdOf('axinom'), `skd://${KID}:${ivHex}`)
  })
  test('leaves out an IV that is not returned', () => {
    assert.equal(skdOf('axinom', { explicitIv: undefined }), `skd://${KID}`)
  })
})

describe('a configured skd URI', () => {
  for (const [template, expected] of [
    ['skd://fps.example/;{kid}', `skd://fps.example/;${KID}`],
    [
      'skd://h?assetId={contentId}&keyId={kidHex}&iv={ivHex}',
      `skd://h?assetId=a%20%22%3C%26%3E%22%2F%C3%A9&keyId=${KID.replaceAll('-', '')}&iv=${ivHex}`,
    ],
    ['skd://{iv}{ivHex}', `skd://${ivBase64}${ivHex}`],
    ['skd://{kidBase64}', 'skd://nrQFDeRLSAKTLifXUIPiZg=='],
    ['skd://{kidBase64Url}', 'skd://nrQFDeRLSAKTLifXUIPiZg'],
  ] as const) {
    test(template, () => assert.equal(skdOf(template, { contentId: 'a "<&>"/é' }), expected))
  }
  test('with two IVs side by side still fits into an HLS element', () => {
    const settings = settingsWith({ fairplay: { skd: 'skd://{iv}{ivHex}' } })
    const { hlsMedia = '' } = decodedElements(fairplay, { explicitIv: 'derived', settings })
    assert.equal(hlsAttributesOf(hlsMedia).URI, `"skd://${ivBase64}${ivHex}"`)
  })
  test('with an IV is rejected if none is returned', () => {
    assert.throws(() => skdOf('skd://{ivHex}', { explicitIv: undefined }), { code: 'ERR_SIGNALING_INVALID' })
  })
  for (const template of [
    '',
    'skd://',
    'https://x/{kid}',
    'skd://a b',
    'skd://"',
    'skd://é',
    'skd://{',
    'constructor',
  ]) {
    test(`rejects ${JSON.stringify(template)}`, () => assert.throws(() => readSkd(template), refused))
  }
  test('rejects an unknown placeholder by name', () => {
    assert.throws(() => readSkd('skd://{kit}'), { ...refused, message: /fairplay\.skd: \{kit\} is not a placeholder/ })
  })
})

const assetIdLength = (uri: Template<KeyFilling> | undefined): number =>
  (uri?.text.length ?? assert.fail()) - 'skd://'.length

test('the length of a skd URI is what FairPlay counts', () => {
  const uri = fairplay.signal(inputWith({ settings: settingsWith({ fairplay: { skd: 'kid' } }) }), fairplay).uriExtXKey
  assert.equal(assetIdLength(uri), 36)
  const long = fairplay.signal(inputWith({ contentId: 'x'.repeat(256) }), fairplay).uriExtXKey
  assert.ok(assetIdLength(long) > MAX_SKD_LENGTH)
})

test('any contentId is read back from the JSON, and never leaves the line', () => {
  const contentId = fc.string({ unit: 'binary', minLength: 1, maxLength: 256 })
  fc.assert(
    fc.property(contentId, (id) => {
      const { hlsMedia = '' } = decodedElements(fairplay, { contentId: id, explicitIv: 'derived' })
      const uri = (hlsAttributesOf(hlsMedia).URI ?? '').slice(1, -1)
      assert.deepEqual(JSON.parse(jsonOf(uri)), { ContentId: id.toWellFormed(), KeyId: KID, IV: ivBase64 })
    }),
  )
})
