import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type KeyToSignal, KNOWN_DRM_SYSTEMS, kidBytes, kidGuidBytes, signalKey } from '../../src/exports/signaling.ts'
import { fromBase64, fromHex, kidOf, vectors } from '../formats/drm/vectors.ts'

const vector = vectors<Record<string, string>>('signaling.json')
const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'
const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'
const FAIRPLAY = '94ce86fb-07ff-4f43-adb8-93d2fa968ca2'
const AES_128 = '3ea8778f-7742-4bf9-b18b-e834b2acbd47'
const key: KeyToSignal = {
  kid: vector.kid ?? '',
  contentKey: fromHex(vector.key_hex ?? ''),
  commonEncryptionScheme: 'cenc',
}

describe(`signalling of a key (${vector.origin})`, () => {
  test('of Widevine is the published box', () => {
    assert.deepEqual(signalKey(WIDEVINE, key).pssh, fromBase64(vector.wv_pssh_cenc_b64 ?? ''))
    assert.deepEqual(
      signalKey(WIDEVINE, { ...key, commonEncryptionScheme: 'cbcs' }).pssh,
      fromBase64(vector.wv_pssh_cbcs_b64 ?? ''),
    )
  })

  test('of PlayReady is the published object, with the checksum of the key', () => {
    const { laUrl, objects } = vectors<{ laUrl: string; objects: readonly { version: string; object: string }[] }>(
      'playready.json',
    )
    const { smoothProtectionHeader } = signalKey(PLAYREADY, { ...key, settings: { playready: { laUrl } } })
    assert.deepEqual(
      smoothProtectionHeader,
      fromBase64(objects.find(({ version }) => version === '4.0.0.0')?.object ?? ''),
    )
  })

  test('of FairPlay are the published lines', () => {
    const { hlsMedia, hlsMaster } = signalKey(FAIRPLAY, {
      ...key,
      commonEncryptionScheme: 'cbcs',
      settings: { fairplay: { skd: 'kid' } },
    })
    assert.equal(hlsMedia, vector.hls_fairplay)
    assert.equal(hlsMaster, vector.hls_fairplay_session)
  })

  test('returns plain Uint8Arrays', () => {
    assert.equal(signalKey(WIDEVINE, key).pssh?.constructor, Uint8Array)
    assert.equal(kidBytes(kidOf(key.kid)).constructor, Uint8Array)
    assert.equal(kidGuidBytes(kidOf(key.kid)).constructor, Uint8Array)
  })
})

test('signals every listed DRM system', () => {
  for (const { systemId, commonEncryptionSchemes } of KNOWN_DRM_SYSTEMS) {
    const [commonEncryptionScheme = 'cenc'] = commonEncryptionSchemes
    const made = signalKey(systemId, {
      ...key,
      commonEncryptionScheme,
      keyUrl: 'https://keys.example/k',
      clearKeyLicenseUrl: 'https://keys.example/l',
    })
    assert.ok(Object.keys(made).length > 0, systemId)
  }
})

const refusals: readonly (readonly [
  title: string,
  systemId: string,
  change: Partial<KeyToSignal>,
  code: string,
  message: RegExp,
])[] = [
  [
    'a system that is not known',
    '00000000-0000-0000-0000-000000000001',
    {},
    'ERR_DRM_SYSTEM_UNKNOWN',
    /unknown DRM system/,
  ],
  ['a scheme that the system does not take', FAIRPLAY, {}, 'ERR_SIGNALING_INVALID', /FairPlay supports cbcs, not cenc/],
  ['a kid that is none', WIDEVINE, { kid: 'video' }, 'ERR_SIGNALING_INVALID', /expected kid: a UUID/],
  [
    'a key that is too short',
    PLAYREADY,
    { contentKey: new Uint8Array(8) },
    'ERR_SIGNALING_INVALID',
    /expected contentKey: 16 bytes/,
  ],
  [
    'an IV that is too short',
    WIDEVINE,
    { explicitIv: new Uint8Array(8) },
    'ERR_SIGNALING_INVALID',
    /expected explicitIv: 16 bytes/,
  ],
  [
    'a clear key without its URL',
    AES_128,
    { commonEncryptionScheme: 'cbc1' },
    'ERR_SIGNALING_INVALID',
    /expected keyUrl/,
  ],
]
for (const [title, systemId, change, code, message] of refusals) {
  test(`rejects ${title}`, () => assert.throws(() => signalKey(systemId, { ...key, ...change }), { code, message }))
}
