import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RULE_BY_ID } from '../../../src/toolkit/rules/rules.ts'
import type { Wish } from '../encryptor/asking.ts'
import { BROKEN_ANSWERS, ENCRYPTED } from './broken.ts'
import { findingsOf, pairOf } from './pairs.ts'

describe('broken answers', () => {
  for (const { rule, how, wish, as = 'spec', break: damage } of BROKEN_ANSWERS) {
    test(`${rule} finds: ${how}`, async () => {
      const { built, answer, privateKey } = await pairOf(wish)
      const broken = damage(answer, built.xml)
      if (as === 'spec') assert.notEqual(broken, answer)
      // What MediaPackage v2 demands, this key provider gives under another profile.
      if (as === 'spec') assert.deepEqual(findingsOf(built, answer, { privateKey }), [])
      const findings = findingsOf(built, broken, { privateKey, as })
      assert.ok(
        findings.some((finding) => finding.rule === rule),
        `told by ${JSON.stringify(
          findings.map(({ rule: id, what }) => [id, what]),
          undefined,
          1,
        )}`,
      )
      assert.ok(RULE_BY_ID.has(rule))
    })
  }
})

const WISHES: readonly Wish[] = [
  ENCRYPTED,
  ...(['1.0', '2.0', '2.1'] as const).map(
    (speke): Wish => ({ speke, drm: ['fairplay', 'widevine'], scheme: 'cbcs', video: 'SHARED' }),
  ),
  { speke: '1.0', drm: ['aes-128'], video: 'SHARED' },
  { drm: ['common-pssh', 'clearkey', 'widevine'], video: 'VIDEO-5', audio: 'AUDIO-3' },
  { drm: ['sample-aes'], scheme: 'cbcs' },
  { as: 'mediapackage-v1', speke: '1.0', drm: ['widevine', 'playready'], video: 'SHARED', periods: {} },
  { as: 'mediapackage-v2', drm: ['fairplay', 'widevine'], scheme: 'cbcs', periods: {} },
  { speke: '2.1', drm: ['widevine'], periods: { interval: 60, count: 3 } },
]

test('finds nothing in the answers of Keyspring', async () => {
  for (const wish of WISHES) {
    const { built, answer, privateKey } = await pairOf(wish)
    assert.deepEqual(findingsOf(built, answer, { privateKey }), [], JSON.stringify(wish))
    assert.deepEqual(findingsOf(built, undefined), [], JSON.stringify(wish))
  }
})
