import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemIdOf } from '../../../../src/formats/cenc.ts'
import { signalElements } from '../../../../src/formats/drm/elements.ts'
import { hlsAes128V1 } from '../../../../src/formats/drm/facts.ts'
import { decodePssh } from '../../../../src/formats/drm/payloads/pssh.ts'
import { DEFAULT_SETTINGS } from '../../../../src/formats/drm/settings.ts'
import { childrenOf, readXml, textOf } from '../../../../src/formats/xml/reader.ts'
import {
  clearKey,
  commonPssh,
  decodedElements,
  filled,
  hlsAes128,
  hlsAes128OfAws,
  hlsAttributesOf,
  hlsSampleAes,
  IV,
  inputWith,
  KID,
  OTHER_KID,
  type SignalingVectors,
} from '../signaling.ts'
import { fromBase64, vectors } from '../vectors.ts'

const vector = vectors<SignalingVectors>('signaling.json')
const keyUrl = `https://keys.example.com/k/${KID}`

describe(`W3C common box vectors (${vector.origin})`, () => {
  const elements = signalElements(commonPssh, inputWith())
  test('the box', () => assert.equal(filled(elements.pssh), vector.w3c_pssh_b64))
  test('ContentProtectionData', () => {
    assert.equal(filled(elements.contentProtectionData), vector.common_pssh_fragment_b64)
  })
  test('nothing else', () => assert.deepEqual(Object.keys(elements), ['pssh', 'contentProtectionData']))
})

test('the common box lists the kids of the period, its own first', () => {
  const { pssh } = signalElements(commonPssh, inputWith({ kid: OTHER_KID, periodKids: [OTHER_KID, KID] }))
  assert.deepEqual(decodePssh(fromBase64(filled(pssh) ?? '')).kids, [OTHER_KID, KID])
  assert.equal(commonPssh.dependsOnKids?.(DEFAULT_SETTINGS), 'period')
})

test('a ready-made common box is used, another system is rejected', () => {
  const { pssh } = signalElements(
    commonPssh,
    inputWith({ kid: OTHER_KID, periodKids: [OTHER_KID], pssh: fromBase64(vector.w3c_pssh_b64) }),
  )
  assert.equal(filled(pssh), vector.w3c_pssh_b64)
  assert.throws(() => commonPssh.signal(inputWith({ pssh: fromBase64(vector.wv_pssh_cenc_b64) }), commonPssh), {
    code: 'ERR_SIGNALING_INVALID',
  })
})

describe('DASH-IF ClearKey', () => {
  const fragmentOf = (clearKeyLicenseUrl: string) => {
    const xml = decodedElements(clearKey, { clearKeyLicenseUrl }).contentProtectionData ?? ''
    const document = readXml(Buffer.from(`<x>${xml}</x>`))
    const [current] = childrenOf(document.root, 'https://dashif.org/CPS', 'Laurl')
    const [legacy] = childrenOf(document.root, 'http://dashif.org/guidelines/clearKey', 'Laurl')
    return { document, current: current ?? assert.fail(), legacy: legacy ?? assert.fail() }
  }

  test(`the current element says what the published one does (${vector.origin})`, () => {
    const published = readXml(Buffer.from(vector.clearkey_cpd_fragment))
    const { document, current } = fragmentOf('https://lic.example.com/clearkey')
    assert.deepEqual([current.namespace, current.local], [published.root.namespace, published.root.local])
    assert.equal(textOf(document, current), textOf(published, published.root))
    assert.equal(current.attributes.find(({ name }) => name === 'licenseType')?.value, 'EME-1.0')
  })
  test('the element of older guidelines follows it', () => {
    const { document, current, legacy } = fragmentOf('https://lic.example.com/clearkey')
    assert.deepEqual(document.root.children, [current, legacy])
    assert.equal(legacy.attributes.find(({ name }) => name === 'Lic_type')?.value, 'EME-1.0')
  })
  test('the URL is escaped', () => {
    const url = 'https://lic.example.com/?a=1&b=<2>'
    const { document, current, legacy } = fragmentOf(url)
    assert.deepEqual([textOf(document, current), textOf(document, legacy)], [url, url])
  })
  test('there is nothing else', () => {
    assert.deepEqual(Object.keys(signalElements(clearKey, inputWith())), ['contentProtectionData'])
  })
})

describe('HLS with keys that are fetched as they are', () => {
  test(`AES-128 has METHOD and URI of the published line (${vector.origin})`, () => {
    const { IV, ...published } = hlsAttributesOf(vector.hls_aes128)
    const { KEYFORMAT, KEYFORMATVERSIONS, ...ours } = hlsAttributesOf(decodedElements(hlsAes128).hlsMedia ?? '')
    assert.ok(IV)
    assert.deepEqual(ours, published)
    assert.deepEqual([KEYFORMAT, KEYFORMATVERSIONS], ['"identity"', '"1"'])
  })
  for (const [system, method] of [
    [hlsAes128, 'AES-128'],
    [hlsAes128OfAws, 'AES-128'],
    [hlsSampleAes, 'SAMPLE-AES'],
  ] as const) {
    test(`${system.name} ${system.systemId}`, () => {
      const attributes = `METHOD=${method},URI="${keyUrl}",KEYFORMAT="identity",KEYFORMATVERSIONS="1"`
      assert.deepEqual(decodedElements(system), {
        hlsMedia: `#EXT-X-KEY:${attributes}`,
        hlsMaster: `#EXT-X-SESSION-KEY:${attributes}`,
        uriExtXKey: keyUrl,
        keyFormat: 'identity',
        keyFormatVersions: '1',
      })
    })
  }
  test('rejects a key URL that would end the line', () => {
    for (const end of ['"', '\n', '\r']) {
      assert.throws(() => hlsAes128.signal(inputWith({ keyUrl: `https://k/${end}` }), hlsAes128), {
        code: 'ERR_SIGNALING_INVALID',
      })
    }
  })
  test('a further id is of SPEKE 1.0 alone', () => {
    const systemId = systemIdOf('00000000-0000-0000-0000-000000000001')
    const { spekeMajors, systemId: id, contentKeyClass } = hlsAes128V1(systemId)
    assert.deepEqual([spekeMajors, id, contentKeyClass], [[1], systemId, 'clear'])
  })
})

describe('lines of clear keys with an IV', () => {
  const settings = { ...DEFAULT_SETTINGS, hls: { ...DEFAULT_SETTINGS.hls, identityIv: true } }
  const ivHex = Buffer.from(IV).toString('hex').toUpperCase()
  for (const system of [hlsAes128, hlsAes128OfAws, hlsSampleAes]) {
    test(`${system.name}: the returned IV, if one is returned`, () => {
      const lineOf = (explicitIv: 'derived' | string | undefined) =>
        decodedElements(system, { settings, explicitIv, keyUrl }).hlsMedia ?? ''
      assert.equal(hlsAttributesOf(lineOf('derived')).IV, `0x${ivHex}`)
      assert.equal(hlsAttributesOf(lineOf(Buffer.from(IV).toString('base64'))).IV, `0x${ivHex}`)
      assert.equal(hlsAttributesOf(lineOf(undefined)).IV, undefined)
      assert.equal(
        hlsAttributesOf(decodedElements(system, { explicitIv: 'derived', keyUrl }).hlsMedia ?? '').IV,
        undefined,
      )
    })
  }
})
