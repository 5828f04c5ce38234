import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { DataKeyRing } from '../../../src/keys/crypto/data-keys.ts'
import { fakeRootKey, flakyStore } from '../fixtures.ts'

/** Data keys on a clock of their own, over a root key that can be away. */
function cached() {
  const own = fakeRootKey(1)
  let isAway = false
  const rootKey = {
    ...own,
    unwrap: async (wrapped: Uint8Array) => {
      if (isAway) throw new KeyProviderError('ERR_ROOT_KEY_UNAVAILABLE', 'away')
      return own.unwrap(wrapped, {})
    },
  }
  const clock = { at: 0 }
  const stale: number[] = []
  const flaky = flakyStore(memoryStore())
  const dataKeys = new DataKeyRing({
    store: flaky.store,
    rootKey,
    rootKeyName: 'test',
    randomBytes,
    caching: {
      now: () => clock.at,
      recheckMs: 60_000,
      ttlMs: 900_000,
      maxStaleMs: 86_400_000,
      onStale: (_error, _tenant, ageMs) => stale.push(ageMs),
    },
  })
  const setAway = (away: boolean) => {
    isAway = away
  }
  return { dataKeys, clock, stale, unwraps: own.unwraps, setAway, flaky }
}

test('an open data key is used without the root key until it is old, then opened again', async () => {
  const { dataKeys, clock, unwraps } = cached()
  await dataKeys.current('a')
  const asked = unwraps()
  for (; clock.at < 800_000; clock.at += 10_000) await dataKeys.current('a')
  assert.equal(unwraps(), asked)
  clock.at = 1_000_000
  await dataKeys.current('a')
  assert.equal(unwraps(), asked + 1)
})

test('while the root key is away data keys go on, aloud, until they are too old', async () => {
  const { dataKeys, clock, stale, setAway } = cached()
  await dataKeys.current('a')
  setAway(true)
  clock.at = 1_000_000
  assert.ok(await dataKeys.find('a', 1))
  assert.deepEqual(stale, [1_000_000])
  clock.at = 86_000_000
  assert.ok(await dataKeys.current('a'))
  clock.at = 87_000_000
  await assert.rejects(dataKeys.current('a'), { code: 'ERR_ROOT_KEY_UNAVAILABLE' })
  await assert.rejects(dataKeys.current('never seen'), { code: 'ERR_ROOT_KEY_UNAVAILABLE' })
  setAway(false)
  assert.ok(await dataKeys.current('a'))
})

test('while the store is away open data keys go on', async () => {
  const { dataKeys, clock, flaky } = cached()
  await dataKeys.current('a')
  flaky.setAway(true)
  clock.at = 70_000
  assert.ok(await dataKeys.current('a'))
  await assert.rejects(dataKeys.current('b'), { code: 'ERR_STORE_UNAVAILABLE' })
})
