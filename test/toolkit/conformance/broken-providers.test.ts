import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CheckResult } from '../../../src/toolkit/conformance/check.ts'
import { RULES } from '../../../src/toolkit/rules/rules.ts'
import { BROKEN_ANSWERS } from '../rules/broken.ts'
import { BROKEN_REQUESTS } from '../rules/broken-requests.ts'
import { BROKEN_PROVIDERS } from './broken-providers.ts'
import { type Damage, startProvider } from './provider.ts'
import { type Verifying, verifying } from './verifying.ts'

const DRM = ['widevine', 'playready', 'fairplay', 'aes-128', 'common-pssh']

async function verified(
  damage: Damage | undefined,
  { as = 'spec', only = [] }: Verifying,
): Promise<readonly CheckResult[]> {
  const provider = await startProvider(damage, as)
  try {
    const results = await verifying(provider.url, { as, only, drm: DRM })
    assert.ok(results.length > 0, `no check ${only}`)
    return results
  } finally {
    provider.close()
  }
}

const rulesIn = (results: readonly CheckResult[]): readonly string[] => [
  ...new Set(results.flatMap(({ findings }) => findings.map(({ rule }) => rule))),
]

describe('broken key providers', () => {
  for (const { rule, how, only, damage } of BROKEN_PROVIDERS) {
    test(`verify finds ${rule}: ${how}`, async () => {
      const found = rulesIn(await verified(damage(), { only: [only] }))
      assert.ok(found.includes(rule), `found ${found.join(', ') || 'nothing'}`)
    })
  }

  for (const {
    rule,
    how,
    only = 'systems/2.0/widevine+playready/cenc',
    as = 'spec',
    break: damage,
  } of BROKEN_ANSWERS) {
    test(`verify finds ${rule}: ${how}`, async () => {
      const breaking: Damage = (reply, { body }) =>
        reply.status === 200 ? { ...reply, body: Buffer.from(damage(Buffer.from(reply.body).toString(), body)) } : reply
      const found = rulesIn(await verified(breaking, { as, only: [only] }))
      assert.ok(found.includes(rule), `found ${found.join(', ') || 'nothing'}`)
    })
  }
})

test('a correct key provider passes the checks that find the broken ones', async () => {
  const only = [...BROKEN_PROVIDERS, ...BROKEN_ANSWERS].flatMap((one) => (one.only === undefined ? [] : [one.only]))
  assert.deepEqual(rulesIn(await verified(undefined, { only })), [])
})

test('a broken document or provider triggers every rule', () => {
  // Signatures are verified ahead of the rules: field.test.ts breaks one.
  const tripped = new Set([
    'signature-invalid',
    ...[...BROKEN_PROVIDERS, ...BROKEN_ANSWERS, ...BROKEN_REQUESTS].map(({ rule }) => rule),
  ])
  assert.deepEqual(
    RULES.map(({ id }) => id).filter((id) => !tripped.has(id)),
    [],
  )
})

test('every rule has all texts and its own ID', () => {
  assert.equal(new Set(RULES.map(({ id }) => id)).size, RULES.length)
  for (const { id, title, why, fix, clause } of RULES) {
    assert.match(id, /^[a-z0-9]+(-[a-z0-9]+)*$/)
    for (const text of [title, why, fix, clause]) assert.ok(text.length > 10, id)
    assert.doesNotMatch(title, /\.$/, id)
  }
})
