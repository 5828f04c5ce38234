import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { XmlDocument } from '../../../src/formats/xml/document.ts'
import { attributeOf } from '../../../src/formats/xml/reader.ts'
import { MEDIAPACKAGE_V2_PROFILE } from '../../../src/protocols/speke/profile.ts'
import { answering, decodedText, drmSystemOf, elementsOf, plainKeys, refusalOf, testKey } from './answering.ts'
import {
  AES_128,
  AES_128_V1,
  CLEARKEY_DASH,
  COMMON_PSSH,
  documentOf,
  FAIRPLAY,
  KID,
  KID_2,
  PLAYREADY,
  partsOf,
  requestFor,
  SAMPLE_AES,
  WIDEVINE,
} from './documents.ts'

const withIv = (iv: string): string =>
  documentOf({
    ...partsOf({ scheme: 'cbcs', systems: [FAIRPLAY] }),
    contentKeys: `<cpix:ContentKey kid="${KID}" explicitIV="${iv}" commonEncryptionScheme="cbcs"/>`,
  })
const ivOf = (document: XmlDocument): string | undefined => {
  const [key] = elementsOf(document, 'ContentKey')
  return key && attributeOf(key, 'explicitIV')
}
const skdOf = (document: XmlDocument): { IV?: string } => {
  const line = decodedText(document, drmSystemOf(document, FAIRPLAY, KID), 'HLSSignalingData@media')
  return JSON.parse(Buffer.from(/skd:\/\/([^"]+)"/.exec(line)?.[1] ?? '', 'base64').toString()) as { IV?: string }
}

/** The same 16 bytes in ways that are met (speke.md 5.3, A-23; cpix.md 3.8, 15). */
const SPELLINGS = [
  ['canonical', 'L6jzdXrXAFbCJGBuMrrKrA==', 'L6jzdXrXAFbCJGBuMrrKrA=='],
  ["AWS's own, not canonical", 'L6jzdXrXAFbCJGBuMrrKrG==', 'L6jzdXrXAFbCJGBuMrrKrA=='],
  ['without padding', 'L6jzdXrXAFbCJGBuMrrKrA', 'L6jzdXrXAFbCJGBuMrrKrA=='],
  ['with white space', ' L6jzdXrX AFbCJGBu\n\tMrrKrA==  ', 'L6jzdXrXAFbCJGBuMrrKrA=='],
  ['with character references', 'L6jzdXrXAFbCJGBu&#77;rrKrA&#x3D;=', 'L6jzdXrXAFbCJGBuMrrKrA=='],
] as const

describe('an explicitIV of the request', () => {
  for (const [what, text, canonical] of SPELLINGS) {
    test(`${what} is echoed as it stands, and signalled`, async () => {
      const { xml, document } = await answering()('2.0', withIv(text))
      assert.ok(xml.includes(`<cpix:ContentKey kid="${KID}" explicitIV="${text}" commonEncryptionScheme="cbcs">`))
      assert.equal(skdOf(document).IV, canonical)
    })
  }

  for (const text of [
    'L6jzdXrXAFbCJGBuMrrK',
    'L6jzdXrXAFbCJGBuMrrKrKA=',
    'L6jzdXrXAFbCJGBuMrrKrA=',
    '2fa8f3757ad70056c224606e32bacaac',
    KID,
    '!!!!!!!!!!!!!!!!!!!!!!==',
    'L6jzdXrX-FbCJGBuMrrKrA==',
  ]) {
    test(`${JSON.stringify(text)} is rejected with its place and not quoted`, async () => {
      const { code, message } = await refusalOf(answering()('2.0', withIv(text)))
      assert.equal(code, 'ERR_CPIX_INVALID')
      assert.match(message, /^Malformed CPIX document: CPIX\/ContentKeyList\/ContentKey\/@explicitIV: /)
      if (text.trim() !== '') assert.ok(!message.includes(text))
    })
  }

  test('is echoed under schemes that would get none unasked', async () => {
    const contentKeys = `<cpix:ContentKey kid="${KID}" commonEncryptionScheme="cenc" explicitIV="L6jzdXrXAFbCJGBuMrrKrA=="/>`
    const { document } = await answering()('2.0', requestFor({}, { contentKeys }))
    assert.equal(ivOf(document), 'L6jzdXrXAFbCJGBuMrrKrA==')
  })
})

/** speke.md 5.3: what is returned where none was asked for. */
const UNASKED: readonly (readonly [
  version: '1' | '2',
  scheme: string,
  systems: readonly string[],
  returned: boolean,
])[] = [
  ['2', 'cbcs', [WIDEVINE], true],
  ['2', 'cbcs', [FAIRPLAY], true],
  ['2', 'cbcs', [PLAYREADY], true],
  ['2', 'cbcs', [SAMPLE_AES], true],
  ['2', 'cbcs', [CLEARKEY_DASH], true],
  ['2', 'cenc', [WIDEVINE, PLAYREADY], false],
  ['2', 'cens', [COMMON_PSSH], false],
  ['2', 'cbc1', [COMMON_PSSH], false],
  ['2', 'cbc1', [AES_128], false],
  ['1', '', [FAIRPLAY], true],
  ['1', '', [WIDEVINE, FAIRPLAY], true],
  ['1', '', [SAMPLE_AES], true],
  ['1', '', [WIDEVINE], false],
  ['1', '', [PLAYREADY], false],
  ['1', '', [AES_128_V1], false],
]

describe('an explicitIV that was not asked for', () => {
  for (const [version, scheme, systems, returned] of UNASKED) {
    const name = `SPEKE ${version} ${scheme} ${systems.map((id) => id.slice(0, 8)).join(' + ')}`
    const xml = requestFor({ scheme, systems }, version === '1' ? { root: 'id="movie"' } : {})
    const header = version === '1' ? undefined : '2.0'

    test(`${name}: ${returned ? 'returned' : 'none'}`, async () => {
      const { document, issued } = await answering()(header, xml)
      const [wanted] = issued
      const expected = wanted && Buffer.from(testKey(wanted).explicitIv).toString('base64')
      assert.equal(ivOf(document), returned ? expected : undefined)
    })

    test(`${name}: returned by the profile mediapackage-v2`, async () => {
      const { document } = await answering({ profile: MEDIAPACKAGE_V2_PROFILE })(header, xml)
      assert.notEqual(ivOf(document), undefined)
    })
  }

  test('is returned for the HLS method SAMPLE-AES and not for SAMPLE-AES-CTR', async () => {
    const root = 'contentId="movie" version="2.4"'
    for (const [scheme, returned] of [
      ['SAMPLE-AES', true],
      ['SAMPLE-AES-CTR', false],
    ] as const) {
      const { document } = await answering()('2.1', requestFor({ scheme }, { root }))
      assert.equal(ivOf(document) !== undefined, returned)
    }
  })

  test('is the same again, differs by key, is no key, and is the one that FairPlay is told', async () => {
    const machine = answering()
    const request = requestFor({ scheme: 'cbcs', systems: [FAIRPLAY], kids: [KID, KID_2] })
    const { document } = await machine('2.0', request)
    const ivs = elementsOf(document, 'ContentKey').map((key) => attributeOf(key, 'explicitIV') ?? '')
    assert.equal(new Set(ivs).size, 2)
    assert.equal(skdOf(document).IV, ivs[0])
    const keys = Object.values(plainKeys(document))
    for (const iv of ivs) assert.ok(!keys.includes(iv))
    for (let i = 0; i < 3; i++) assert.equal(ivOf((await machine('2.0', request)).document), ivs[0])
  })

  test('is not returned for AES-128 in SPEKE 1.0 even where other documents mean cbcs', async () => {
    const machine = answering({ profile: { v1: { scheme: 'cbcs' } } })
    const v1 = (systems: readonly string[]) => machine(undefined, requestFor({ systems }, { root: 'id="movie"' }))
    assert.notEqual(ivOf((await v1([WIDEVINE])).document), undefined)
    const { document, records } = await v1([AES_128_V1])
    assert.equal(ivOf(document), undefined)
    assert.equal(records[0]?.keys[0]?.commonEncryptionScheme, 'cbc1')
  })
})
