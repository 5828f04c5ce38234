import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { signalElements } from '../../../../src/formats/drm/elements.ts'
import { decodePssh } from '../../../../src/formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData } from '../../../../src/formats/drm/payloads/widevine-pssh-data.ts'
import {
  decodedElements,
  filled,
  hlsAttributesOf,
  inputWith,
  type SignalingVectors,
  settingsWith,
  widevine,
} from '../signaling.ts'
import { fromBase64, vectors } from '../vectors.ts'

const vector = vectors<SignalingVectors>('signaling.json')
const pssh = (changes = {}) => filled(signalElements(widevine, inputWith(changes)).pssh)

describe(`Widevine vectors (${vector.origin})`, () => {
  test('the box of cenc', () => assert.equal(pssh(), vector.wv_pssh_cenc_b64))
  test('the box of cbcs', () => assert.equal(pssh({ commonEncryptionScheme: 'cbcs' }), vector.wv_pssh_cbcs_b64))
  test('the box with provider and contentId', () => {
    const settings = settingsWith({ widevine: { provider: 'widevine_test', contentId: true } })
    assert.equal(pssh({ settings }), vector.wv_full_pssh_b64)
  })
  test('the HLS line has the attributes of the published one, but for KEYID', () => {
    const { hlsMedia = '' } = decodedElements(widevine, { commonEncryptionScheme: 'cbcs' })
    const { KEYID, ...published } = hlsAttributesOf(vector.hls_widevine)
    assert.ok(KEYID)
    assert.deepEqual(hlsAttributesOf(hlsMedia), published)
  })
})

test('the HLS line is in the order of the MediaPackage guide', () => {
  const { hlsMedia, hlsMaster } = decodedElements(widevine, { commonEncryptionScheme: 'cbcs' })
  const attributes = `METHOD=SAMPLE-AES,URI="data:text/plain;base64,${vector.wv_pssh_cbcs_b64}",KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed",KEYFORMATVERSIONS="1"`
  assert.equal(hlsMedia, `#EXT-X-KEY:${attributes}`)
  assert.equal(hlsMaster, `#EXT-X-SESSION-KEY:${attributes}`)
})

test('the HLS line has KEYID where the profile says so', () => {
  const settings = settingsWith({ widevine: { contentId: false, hlsKeyId: true } })
  const { hlsMedia = '', hlsMaster = '' } = decodedElements(widevine, { commonEncryptionScheme: 'cbcs', settings })
  assert.deepEqual(hlsAttributesOf(hlsMedia), hlsAttributesOf(vector.hls_widevine))
  assert.ok(hlsMedia.endsWith(',KEYFORMATVERSIONS="1",KEYID=0x9EB4050DE44B4802932E27D75083E266'))
  assert.ok(hlsMaster.endsWith('KEYID=0x9EB4050DE44B4802932E27D75083E266'))
})

test('the pssh data has the index of the key period where the profile says so', () => {
  const settings = settingsWith({ widevine: { contentId: false, cryptoPeriodIndex: true } })
  const indexOf = (periodIndex: number | undefined) =>
    decodeWidevinePsshData(decodePssh(fromBase64(pssh({ settings, periodIndex }) ?? '')).data).cryptoPeriodIndex
  assert.equal(indexOf(7), 7)
  assert.equal(indexOf(0), 0)
  assert.equal(indexOf(4_294_967_295), 4_294_967_295)
  assert.equal(indexOf(4_294_967_296), undefined)
  assert.equal(indexOf(undefined), undefined)
  assert.equal(pssh({ periodIndex: 7 }), vector.wv_pssh_cenc_b64)
})

test('ContentProtectionData has the licence URL where the profile says so', () => {
  const settings = settingsWith({ widevine: { contentId: false, dashLaUrl: 'https://l.example/?a=1&b=<' } })
  assert.equal(
    decodedElements(widevine, { settings }).contentProtectionData,
    `<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">${vector.wv_pssh_cenc_b64}</cenc:pssh>` +
      '<dashif:Laurl xmlns:dashif="https://dashif.org/CPS">https://l.example/?a=1&amp;b=&lt;</dashif:Laurl>',
  )
})

test('ContentProtectionData is one cenc:pssh whose text is that of PSSH', () => {
  assert.equal(
    decodedElements(widevine).contentProtectionData,
    `<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">${vector.wv_pssh_cenc_b64}</cenc:pssh>`,
  )
})

test('METHOD for cenc follows the profile', () => {
  const methodOf = (line = '') => hlsAttributesOf(line).METHOD
  assert.equal(methodOf(decodedElements(widevine).hlsMedia), 'SAMPLE-AES-CTR')
  const settings = settingsWith({ hls: { cencMethod: 'SAMPLE-AES' } })
  assert.equal(methodOf(decodedElements(widevine, { settings }).hlsMedia), 'SAMPLE-AES')
})

test('the policy of the profile is field 6, before the scheme', () => {
  const settings = settingsWith({ widevine: { contentId: false, policy: 'p' } })
  assert.match(Buffer.from(pssh({ settings }) ?? '', 'base64').toString('hex'), /32017048e3dc959b06$/)
})

test('the ready-made box of an override is used everywhere', () => {
  const box = vector.wv_full_pssh_b64
  const elements = decodedElements(widevine, { pssh: fromBase64(box) })
  assert.equal(pssh({ pssh: fromBase64(box) }), box)
  assert.ok(elements.contentProtectionData?.includes(`>${box}<`))
  assert.ok(elements.hlsMaster?.includes(`base64,${box}"`))
})

test('rejects a ready-made box of another system, naming it', () => {
  assert.throws(() => signalElements(widevine, inputWith({ pssh: fromBase64(vector.w3c_pssh_b64) })), {
    code: 'ERR_SIGNALING_INVALID',
    message: /1077efec-c0b2-4d02-ace3-3c1e52e2fb4b/,
  })
})
