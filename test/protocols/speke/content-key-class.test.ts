import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ContentKeyClass } from '../../../src/formats/cenc.ts'
import { answering, kidOf, plainKeys, testKey } from './answering.ts'
import {
  AES_128,
  AES_128_V1,
  CLEARKEY_DASH,
  COMMON_PSSH,
  FAIRPLAY,
  KID,
  KID_2,
  PLAYREADY,
  requestFor,
  SAMPLE_AES,
  WIDEVINE,
} from './documents.ts'

type Row = readonly [scheme: string, systems: readonly string[], contentKeyClass: ContentKeyClass]

/** design.md, "Class of a content key". */
const ROWS: readonly Row[] = [
  ['cbc1', [AES_128], 'clear'],
  ['cbcs', [SAMPLE_AES], 'clear'],
  ['cenc', [CLEARKEY_DASH], 'clear'],
  ['cenc', [COMMON_PSSH], 'clear'],
  ['cenc', [COMMON_PSSH, CLEARKEY_DASH], 'clear'],
  ['cbcs', [SAMPLE_AES, COMMON_PSSH, CLEARKEY_DASH], 'clear'],
  ['cenc', [WIDEVINE], 'drm'],
  ['cenc', [PLAYREADY], 'drm'],
  ['cbcs', [FAIRPLAY], 'drm'],
  ['cenc', [WIDEVINE, CLEARKEY_DASH], 'drm'],
  ['cenc', [COMMON_PSSH, WIDEVINE], 'drm'],
  ['cbcs', [SAMPLE_AES, FAIRPLAY], 'drm'],
]

describe('the class of a content key in SPEKE 2', () => {
  for (const [scheme, systems, contentKeyClass] of ROWS) {
    test(`${systems.map((id) => id.slice(0, 8)).join(' + ')} is ${contentKeyClass}`, async () => {
      const { issued, records, document } = await answering()('2.0', requestFor({ scheme, systems }))
      assert.deepEqual(issued, [{ kid: KID, contentKeyClass }])
      assert.equal(records[0]?.keys[0]?.contentKeyClass, contentKeyClass)
      const expected = Buffer.from(testKey({ kid: kidOf(KID), contentKeyClass }).contentKey).toString('base64')
      assert.equal(plainKeys(document)[KID], expected)
    })
  }

  test('a key that no system names is drm', async () => {
    const drmSystems = `<cpix:DRMSystem kid="${KID}" systemId="${AES_128}"/>`
    const { issued } = await answering()('2.0', requestFor({ scheme: 'cbc1', kids: [KID, KID_2] }, { drmSystems }))
    assert.deepEqual(issued, [
      { kid: KID, contentKeyClass: 'clear' },
      { kid: KID_2, contentKeyClass: 'drm' },
    ])
  })

  test('it is a key of its own, whatever the other keys of the document are', async () => {
    const drmSystems =
      `<cpix:DRMSystem kid="${KID}" systemId="${CLEARKEY_DASH}"/>` +
      `<cpix:DRMSystem kid="${KID_2.toUpperCase()}" systemId="${WIDEVINE}"/>`
    const { issued } = await answering()('2.0', requestFor({ kids: [KID, KID_2] }, { drmSystems }))
    assert.deepEqual(
      issued.map(({ contentKeyClass }) => contentKeyClass),
      ['clear', 'drm'],
    )
  })
})

describe('the class of a content key in SPEKE 1.0', () => {
  for (const [systems, contentKeyClass] of [
    [[AES_128_V1], 'clear'],
    [[AES_128], 'clear'],
    [[AES_128_V1, WIDEVINE], 'drm'],
    [[FAIRPLAY], 'drm'],
  ] as const) {
    test(`${systems.map((id) => id.slice(0, 8)).join(' + ')} is ${contentKeyClass}`, async () => {
      const { issued } = await answering()(undefined, requestFor({ systems }, { root: 'id="movie"' }))
      assert.deepEqual(issued, [{ kid: KID, contentKeyClass }])
    })
  }
})

test('the unregistered AES-128 system is of SPEKE 1.0 alone (A-26)', async () => {
  const outcome = answering()('2.0', requestFor({ systems: [AES_128_V1], scheme: 'cbc1' }))
  await assert.rejects(outcome, { code: 'ERR_DRM_SYSTEM_UNKNOWN' })
})
