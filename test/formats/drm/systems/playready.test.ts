import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { guidBytes } from '../../../../src/formats/cenc.ts'
import { signalElements } from '../../../../src/formats/drm/elements.ts'
import { decodePlayReadyObject } from '../../../../src/formats/drm/payloads/playready-object.ts'
import { playReadyChecksum, readWrmHeader } from '../../../../src/formats/drm/payloads/wrm-header.ts'
import { DEFAULT_SETTINGS, type SignalingSettings } from '../../../../src/formats/drm/settings.ts'
import type { SignalInput } from '../../../../src/formats/drm/system.ts'
import {
  decodedElements,
  filled,
  hlsAttributesOf,
  inputWith,
  KID,
  OTHER_KEY,
  OTHER_KID,
  playready,
  type SignalingVectors,
  settingsWith,
} from '../signaling.ts'
import { fromBase64, fromHex, kidOf, type PlayReadyVectors, vectors } from '../vectors.ts'

const { origin, objects, laUrl, twoKids, checksums } = vectors<PlayReadyVectors>('playready.json')
const hls = vectors<SignalingVectors>('signaling.json')
type Version = '4.0.0.0' | '4.2.0.0' | '4.3.0.0'

const withSettings = (playreadySettings: Partial<SignalingSettings['playready']>) =>
  settingsWith({ playready: { ...DEFAULT_SETTINGS.playready, ...playreadySettings } })
const headerOf = (changes: Partial<SignalInput>): string => {
  const object = filled(signalElements(playready, inputWith(changes)).smoothStreamingProtectionHeaderData) ?? ''
  const [record] = decodePlayReadyObject(fromBase64(object))
  return Buffer.from(record?.value ?? []).toString('utf16le')
}

const CASES: Readonly<Record<Version, Partial<SignalInput>>> = {
  '4.0.0.0': { settings: withSettings({ laUrl }) },
  '4.2.0.0': { settings: withSettings({ laUrl, kids: 'document' }) },
  '4.3.0.0': { settings: withSettings({ laUrl }), commonEncryptionScheme: 'cbcs' },
}

for (const [version, changes] of Object.entries(CASES)) {
  describe(`PlayReady vector: WRMHEADER ${version} (${origin})`, () => {
    const published = objects.find((object) => object.version === version) ?? assert.fail()
    const elements = signalElements(playready, inputWith(changes))
    const decoded = decodedElements(playready, changes)

    test('the header', () => assert.equal(headerOf(changes), published.header))
    test('the object, once in base64, for Smooth', () => {
      assert.equal(filled(elements.smoothStreamingProtectionHeaderData), published.object)
    })
    test('the box', () => {
      assert.equal(filled(elements.pssh), published.pssh)
      assert.equal(fromBase64(published.pssh).length, published.box)
    })
    test('ContentProtectionData has both the box and the object', () => {
      assert.equal(
        decoded.contentProtectionData,
        `<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">${published.pssh}</cenc:pssh>` +
          `<mspr:pro xmlns:mspr="urn:microsoft:playready">${published.object}</mspr:pro>`,
      )
    })
    test('the HLS lines carry the object, in the order of the MediaPackage guide', () => {
      const method = version === '4.3.0.0' ? 'SAMPLE-AES' : 'SAMPLE-AES-CTR'
      const attributes = `METHOD=${method},KEYFORMAT="com.microsoft.playready",KEYFORMATVERSIONS="1",URI="data:text/plain;charset=UTF-16;base64,${published.object}"`
      assert.equal(decoded.hlsMedia, `#EXT-X-KEY:${attributes}`)
      assert.equal(decoded.hlsMaster, `#EXT-X-SESSION-KEY:${attributes}`)
    })
    test('nothing of the key is in a template before it is filled', () => {
      const all = Object.values(elements)
      const checksum = published.checksum
      for (const { text } of all) assert.ok(checksum === undefined || !allDecodings(text).includes(checksum))
      assert.equal(
        all.some(({ holes }) => holes.length > 0),
        checksum !== undefined,
      )
    })
  })
}

/** A base64 text, what it says, and what the base64 in it says, UTF-16 shown as ASCII. */
function allDecodings(text: string): string {
  const once = Buffer.from(text, 'base64').toString('latin1')
  const inner = once.match(/[A-Za-z\d+/]{40,}=*/g) ?? []
  const twice = inner.map((base64) => Buffer.from(base64, 'base64').toString('latin1'))
  return [text, once, ...twice].join(' ').replaceAll('\0', '')
}

test('the HLS line of cbcs has the attributes of the published one', () => {
  const { hlsMedia = '' } = decodedElements(playready, CASES['4.3.0.0'])
  assert.deepEqual(hlsAttributesOf(hlsMedia), hlsAttributesOf(hls.hls_playready))
})

for (const { kid, key, checksum, origin: from } of checksums) {
  test(`the CHECKSUM of ${kid} (${from})`, () => assert.equal(playReadyChecksum(fromHex(key), kidOf(kid)), checksum))
}

test('a little-endian GUID has its first three fields reversed (RFC 4122 example, Microsoft documentation)', () => {
  const kid = kidOf('f81d4fae-7dec-11d0-a765-00a0c91e6bf6')
  assert.equal(guidBytes(kid).toString('base64'), 'rk8d+Ox90BGnZQCgyR5r9g==')
})

test('a cbcs header lists two kids as published', () => {
  assert.deepEqual(twoKids.kids, [KID, OTHER_KID])
  const changes = { settings: withSettings({ laUrl, kids: 'document' }), documentKids: [KID, OTHER_KID] }
  assert.equal(headerOf({ ...changes, commonEncryptionScheme: 'cbcs' }), twoKids.header)
})

test('a cenc header of all kids has the CHECKSUM of each key, own kid first', () => {
  const changes = { settings: withSettings({ kids: 'document' }), documentKids: [KID, OTHER_KID] }
  const { version, keys } = readWrmHeader(new Uint8Array(Buffer.from(headerOf(changes), 'utf16le')))
  assert.equal(version, '4.2.0.0')
  assert.deepEqual(keys, [
    { kid: KID, algid: 'AESCTR', checksum: 'Li2mIbro9Kc=' },
    { kid: OTHER_KID, algid: 'AESCTR', checksum: playReadyChecksum(OTHER_KEY, OTHER_KID) },
  ])
})

test('settings are escaped, come in the order of the specification, and are left out if empty', () => {
  const settings = withSettings({
    laUrl: 'https://la.example/?a=1&b=<2>',
    luiUrl: 'https://lui.example/?a&b',
    customAttributes: '<IIS_DRM_VERSION xmlns="">8.1</IIS_DRM_VERSION>',
  })
  const header = headerOf({ settings })
  assert.ok(
    header.endsWith(
      '</CHECKSUM><LA_URL>https://la.example/?a=1&amp;b=&lt;2&gt;</LA_URL><LUI_URL>https://lui.example/?a&amp;b</LUI_URL>' +
        '<CUSTOMATTRIBUTES><IIS_DRM_VERSION xmlns="">8.1</IIS_DRM_VERSION></CUSTOMATTRIBUTES></DATA></WRMHEADER>',
    ),
  )
  assert.equal(readWrmHeader(new Uint8Array(Buffer.from(header, 'utf16le'))).laUrl, 'https://la.example/?a=1&b=<2>')
  assert.equal(headerOf({ settings: withSettings({ laUrl: '', luiUrl: '', customAttributes: '' }) }), headerOf({}))
  assert.doesNotMatch(headerOf({}), /URL|CUSTOM/)
})

test('rejects a scheme that PlayReady does not support', () => {
  for (const commonEncryptionScheme of ['cens', 'cbc1'] as const) {
    assert.throws(() => playready.signal(inputWith({ commonEncryptionScheme }), playready), {
      code: 'ERR_SIGNALING_INVALID',
    })
  }
})

test('more kids than an object can list are rejected', () => {
  const documentKids = Array.from({ length: 100 }, () => KID)
  const settings = withSettings({ kids: 'document' })
  assert.throws(() => playready.signal(inputWith({ documentKids, settings }), playready), {
    code: 'ERR_SIGNALING_INVALID',
  })
})

test('other kids matter only where the profile lists them', () => {
  assert.equal(playready.dependsOnKids?.(DEFAULT_SETTINGS), 'own')
  assert.equal(playready.dependsOnKids?.(withSettings({ kids: 'document' })), 'document')
})

describe('the ready-made box of an override', () => {
  const published = objects.find(({ version }) => version === '4.1.0.0') ?? assert.fail()

  test('is used, and its object taken out for MPD, HLS and Smooth', () => {
    const changes = { pssh: fromBase64(published.pssh) }
    const elements = signalElements(playready, inputWith(changes))
    const decoded = decodedElements(playready, changes)
    assert.equal(filled(elements.pssh), published.pssh)
    assert.equal(filled(elements.smoothStreamingProtectionHeaderData), published.object)
    assert.ok(decoded.contentProtectionData?.includes(`>${published.pssh}</cenc:pssh>`))
    assert.ok(decoded.contentProtectionData?.includes(`>${published.object}</mspr:pro>`))
    assert.ok(decoded.hlsMedia?.endsWith(`,${published.object}"`))
  })
  test('is rejected when it is of another system', () => {
    const pssh = fromBase64(hls.w3c_pssh_b64)
    assert.throws(() => playready.signal(inputWith({ pssh }), playready), { code: 'ERR_SIGNALING_INVALID' })
  })
  test('is rejected when it holds no PlayReady Object', () => {
    const pssh = fromBase64(published.pssh).slice(0, 32)
    pssh.set([0, 0, 0, 32])
    pssh.set([0, 0, 0, 0], 28)
    assert.throws(() => playready.signal(inputWith({ pssh }), playready), { code: 'ERR_PLAYREADY_OBJECT_INVALID' })
  })
})

test('ContentProtectionData has the licence URL where the profile says so, behind the object', () => {
  const settings = withSettings({ dashLaUrl: 'https://l.example/?a&b' })
  assert.match(
    decodedElements(playready, { settings }).contentProtectionData ?? '',
    /<\/mspr:pro><dashif:Laurl xmlns:dashif="https:\/\/dashif.org\/CPS">https:\/\/l.example\/\?a&amp;b<\/dashif:Laurl>$/,
  )
})
