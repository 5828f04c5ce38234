import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { answering, childText, drmSystemOf, refusalOf } from './answering.ts'
import {
  AES_128,
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

const E5: ErrorCode = 'ERR_SPEKE_SCHEME_COMBINATION'
const E6: ErrorCode = 'ERR_SPEKE_SCHEME_DRM_SYSTEM'

/** speke.md 7: the schemes each system takes. */
const ACCEPTED: readonly (readonly [name: string, systemId: string, schemes: readonly string[]])[] = [
  ['FairPlay', FAIRPLAY, ['cbcs']],
  ['Widevine', WIDEVINE, ['cenc', 'cbcs']],
  ['PlayReady', PLAYREADY, ['cenc', 'cbcs']],
  ['Clear Key AES-128', AES_128, ['cbc1']],
  ['Clear Key SAMPLE-AES', SAMPLE_AES, ['cbcs']],
  ['W3C common PSSH', COMMON_PSSH, ['cenc', 'cens', 'cbc1', 'cbcs']],
  ['ClearKey DASH', CLEARKEY_DASH, ['cenc', 'cbcs']],
]
/** speke.md 4.3 and 7: the HLS methods of SPEKE 2.1, and the row each reads as. */
const HLS_METHODS: Readonly<Record<string, string>> = {
  'AES-128': 'cbc1',
  'SAMPLE-AES': 'cbcs',
  'SAMPLE-AES-CTR': 'cenc',
}
const FOUR_CHARACTER_CODES = ['cenc', 'cens', 'cbc1', 'cbcs']
const VERSIONS = [
  ['2.0', '2.3'],
  ['2.1', '2.4'],
] as const

for (const [header, cpixVersion] of VERSIONS) {
  const root = `contentId="movie" version="${cpixVersion}"`
  const outcome = (systemId: string, scheme: string) =>
    answering()(header, requestFor({ systems: [systemId], scheme }, { root }))

  describe(`SPEKE ${header}`, () => {
    for (const [name, systemId, accepted] of ACCEPTED) {
      for (const scheme of [...FOUR_CHARACTER_CODES, ...(header === '2.1' ? Object.keys(HLS_METHODS) : [])]) {
        const takes = accepted.includes(HLS_METHODS[scheme] ?? scheme)
        test(`${name} ${takes ? 'takes' : 'does not take'} ${scheme}`, async () => {
          if (takes) {
            const { records } = await outcome(systemId, scheme)
            assert.equal(records[0]?.keys[0]?.commonEncryptionScheme, scheme)
          } else {
            const { code, message } = await refusalOf(outcome(systemId, scheme))
            assert.equal(code, E6)
            assert.ok(message.endsWith(` DRMSystem ${systemId}`))
          }
        })
      }
    }

    for (const scheme of ['NONE', 'none', 'CENC', 'Cbcs', ' cenc', 'cenc ', 'piff', 'constructor', 'aes-128']) {
      test(`${JSON.stringify(scheme)} is no scheme`, async () => {
        assert.equal((await refusalOf(outcome(WIDEVINE, scheme))).code, 'ERR_SPEKE_SCHEME_UNKNOWN')
      })
    }
  })
}

for (const method of Object.keys(HLS_METHODS)) {
  test(`${method} is no scheme of SPEKE 2.0`, async () => {
    const outcome = answering()('2.0', requestFor({ scheme: method, systems: [AES_128] }))
    assert.equal((await refusalOf(outcome)).code, 'ERR_SPEKE_SCHEME_UNKNOWN')
  })
}

describe('one document has one scheme (E5)', () => {
  const keys = (...schemes: readonly string[]): string =>
    documentOf({
      ...partsOf({ kids: [KID, KID_2], systems: [COMMON_PSSH] }),
      root: 'contentId="movie" version="2.4"',
      contentKeys: [KID, KID_2]
        .map((kid, i) => `<cpix:ContentKey kid="${kid}" commonEncryptionScheme="${schemes[i]}"/>`)
        .join(''),
    })

  for (const [first, second] of [
    ['cenc', 'cbcs'],
    ['cbcs', 'cenc'],
    ['cenc', 'cens'],
    ['cbcs', 'SAMPLE-AES'],
    ['SAMPLE-AES', 'SAMPLE-AES-CTR'],
  ] as const) {
    test(`${first} beside ${second}`, async () => {
      assert.equal((await refusalOf(answering()('2.1', keys(first, second)))).code, E5)
    })
  }

  test('the same twice', async () => assert.equal((await answering()('2.1', keys('cbcs', 'cbcs'))).issued.length, 2))
})

test('the first system that cannot take the scheme is told, as the request spells it', async () => {
  const systems = [WIDEVINE, FAIRPLAY.toUpperCase(), SAMPLE_AES]
  const { code, message } = await refusalOf(answering()('2.0', requestFor({ scheme: 'cenc', systems })))
  assert.equal(code, E6)
  assert.ok(message.endsWith(FAIRPLAY.toUpperCase()))
})

/** speke.md A-12, 4.3: METHOD says what the scheme is. */
describe('METHOD of the HLS lines', () => {
  const ROWS = [
    ['2.0', 'cenc', WIDEVINE, 'SAMPLE-AES-CTR'],
    ['2.0', 'cbcs', WIDEVINE, 'SAMPLE-AES'],
    ['2.0', 'cenc', PLAYREADY, 'SAMPLE-AES-CTR'],
    ['2.0', 'cbcs', PLAYREADY, 'SAMPLE-AES'],
    ['2.0', 'cbcs', FAIRPLAY, 'SAMPLE-AES'],
    ['2.0', 'cbc1', AES_128, 'AES-128'],
    ['2.0', 'cbcs', SAMPLE_AES, 'SAMPLE-AES'],
    ['2.1', 'SAMPLE-AES-CTR', WIDEVINE, 'SAMPLE-AES-CTR'],
    ['2.1', 'SAMPLE-AES', PLAYREADY, 'SAMPLE-AES'],
    ['2.1', 'AES-128', AES_128, 'AES-128'],
  ] as const
  for (const [header, scheme, systemId, method] of ROWS) {
    test(`${systemId} under ${scheme} is ${method}`, async () => {
      const root = `contentId="movie" version="${header === '2.0' ? '2.3' : '2.4'}"`
      const { document } = await answering()(header, requestFor({ scheme, systems: [systemId] }, { root }))
      const line = childText(document, drmSystemOf(document, systemId, KID), 'HLSSignalingData@media') ?? ''
      assert.match(Buffer.from(line, 'base64').toString(), new RegExp(`^#EXT-X-KEY:METHOD=${method},`))
    })
  }
})

test('SPEKE 1.0 knows no scheme: a document that names FairPlay means cbcs for every system', async () => {
  const widevine = (systems: readonly string[]) =>
    answering()(undefined, requestFor({ systems, scheme: 'cenc' }, { root: 'id="movie"' })).then(({ document }) =>
      childText(document, drmSystemOf(document, WIDEVINE, KID), 'PSSH'),
    )
  const [alone, withFairplay] = [await widevine([WIDEVINE]), await widevine([WIDEVINE, FAIRPLAY])]
  // The last four bytes of Widevine's data are the protection scheme's varint: cenc ends 06 as cbcs does, the two before differ.
  assert.notEqual(alone, withFairplay)
  assert.ok(
    Buffer.from(alone ?? '', 'base64')
      .toString('hex')
      .endsWith('48e3dc959b06'),
  )
  assert.ok(
    Buffer.from(withFairplay ?? '', 'base64')
      .toString('hex')
      .endsWith('48f3c6899b06'),
  )
})
