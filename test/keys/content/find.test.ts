import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addKidOverride, addOverride } from '../../../src/keys/content/overrides.ts'
import { hex, issue, keyringOf, kidOf, REF, wantedOf } from '../fixtures.ts'

const LABEL = 'keyspring/widevine-kid/v1'
const KEY = Buffer.alloc(16, 7)

for (const policy of ['derived', 'random'] as const) {
  describe(`under the policy ${policy}`, () => {
    test('finds the key that was issued', async () => {
      const { keys } = keyringOf({ policy })
      const { keys: issued } = await issue(keys, [wantedOf(1)])
      const content = await keys.open(REF, [kidOf(1)])
      assert.equal(hex(content.find(wantedOf(1))?.contentKey ?? assert.fail()), issued[0]?.split(' ')[0])
    })

    test('finds nothing of a content that does not exist, and creates nothing', async () => {
      const { keys, store } = keyringOf({ policy })
      assert.equal((await keys.open(REF, [kidOf(1)])).find(wantedOf(1)), undefined)
      assert.equal(await store.findContent(REF, [kidOf(1)]), undefined)
    })

    test('finds an override that has no IV in a content without a secret', async () => {
      const { keys, store, dataKeys } = keyringOf({ policy })
      await addOverride(
        { store, dataKeys, randomBytes: Buffer.alloc, now: () => 0 },
        { ref: REF, ...wantedOf(1, 'clear'), key: KEY },
      )
      const content = await keys.open(REF, [kidOf(1)])
      assert.deepEqual(content.find(wantedOf(1, 'clear')), { contentKey: KEY, source: 'override' })
      assert.equal(content.find(wantedOf(1, 'drm')), undefined)
    })

    test('finds nothing of a content that only has a kid override', async () => {
      const { keys, store } = keyringOf({ policy })
      const rule = { intendedTrackType: undefined, periodIndex: undefined, kid: kidOf(2) }
      await addKidOverride({ store }, { ref: REF, rule })
      assert.equal((await keys.open(REF, [kidOf(2)])).find(wantedOf(2)), undefined)
    })

    test('refuses to find in a destroyed content, and to derive its kids', async () => {
      const { keys, store } = keyringOf({ policy })
      await store.putTombstone(REF, { at: 0, reason: 'test', cause: 'deleted' })
      const content = await keys.open(REF, [kidOf(1)])
      assert.throws(() => content.find(wantedOf(1)), { code: 'ERR_CONTENT_GONE' })
      await assert.rejects(content.deriveKids(LABEL, [['SD', '']]), { code: 'ERR_CONTENT_GONE' })
    })

    test('derives the same kids for ever, on every node, and creates the secret once', async () => {
      const { keys } = keyringOf({ policy })
      const parts = [
        ['SD', ''],
        ['SD', '0'],
      ]
      const derived = await Promise.all(
        Array.from({ length: 8 }, async () => (await keys.open(REF, [])).deriveKids(LABEL, parts)),
      )
      for (const { kids } of derived) assert.deepEqual(kids, derived[0]?.kids)
      assert.equal(new Set(derived[0]?.kids).size, 2)
      assert.equal(derived.filter(({ first }) => first).length, 1)
      assert.equal((await (await keys.open(REF, [])).deriveKids(LABEL, parts)).first, false)
    })
  })
}

test('finds the key of a kid only when it was opened with it', async () => {
  const { keys, store, dataKeys } = keyringOf()
  for (let kid = 1; kid <= 70; kid++) {
    await addOverride(
      { store, dataKeys, randomBytes: Buffer.alloc, now: () => 0 },
      { ref: REF, ...wantedOf(kid), key: KEY },
    )
  }
  const content = await keys.open(REF, [kidOf(1)])
  assert.deepEqual(content.find(wantedOf(1)), { contentKey: KEY, source: 'override' })
  assert.throws(() => content.find(wantedOf(2)), TypeError)
})

test('derives no kids while the store is away', async () => {
  const { keys, setAway } = keyringOf()
  const content = await keys.open(REF, [])
  setAway(true)
  await assert.rejects(content.deriveKids(LABEL, [['SD', '']]), { code: 'ERR_STORE_UNAVAILABLE' })
})
