import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { StoredContentKeys } from '../../../src/keys/content/content-keys.ts'
import { addOverride } from '../../../src/keys/content/overrides.ts'
import { DataKeyRing } from '../../../src/keys/crypto/data-keys.ts'
import {
  keyringStatus,
  removeOldDataKeys,
  resealAll,
  rewrapDataKeys,
  rotateDataKeys,
} from '../../../src/keys/maintenance/rotate-data-keys.ts'
import { fakeRootKey, issue, kidOf, REF, wantedOf } from '../fixtures.ts'

const refOf = (number: number, tenant = 'default') => ({ tenant, contentId: `c${number}` })

/** A store with keys of all kinds in two tenants, and what was issued from it. */
async function filled() {
  const store = memoryStore()
  const rootKey = fakeRootKey(1)
  const options = { store, rootKey, rootKeyName: 'test', randomBytes }
  const issueAll = async () => {
    const dataKeys = new DataKeyRing(options)
    const keys = new StoredContentKeys({ store, dataKeys, policy: 'derived', now: () => 0, randomBytes, time: () => 0 })
    const issued: string[] = []
    for (let number = 0; number < 9; number++) {
      issued.push(...(await issue(keys, [wantedOf(1)], refOf(number))).keys)
      issued.push(...(await issue(keys, [wantedOf(1)], refOf(number, 'other'))).keys)
    }
    issued.push(...(await issue(keys, [wantedOf(1), wantedOf(2)], REF)).keys)
    return issued
  }
  const key = randomBytes(16)
  await addOverride(
    { store, dataKeys: new DataKeyRing(options), randomBytes, now: () => 0 },
    { ref: REF, contentKeyClass: 'drm', kid: kidOf(1), key },
  )
  return { store, options, issueAll, before: await issueAll() }
}

describe('rotation', () => {
  test('changes no key, and leaves nothing under the old data keys', async () => {
    const { options, issueAll, before } = await filled()
    assert.equal(await rotateDataKeys(options), 2)
    assert.deepEqual(await issueAll(), before)
    const seen: number[] = []
    const done = await resealAll({ ...options, pageSize: 4, onProgress: ({ resealed }) => seen.push(resealed) })
    assert.deepEqual(done, { contents: 19, resealed: 20 })
    assert.ok(seen.length > 3)
    assert.equal(await removeOldDataKeys(options), 2)
    const status = await keyringStatus(options)
    assert.deepEqual(
      status.map(({ tenant, generation, isNewest, rows }) => [tenant, generation, isNewest, rows]),
      [
        ['default', 2, true, 11],
        ['other', 2, true, 9],
      ],
    )
    assert.deepEqual(await issueAll(), before)
  })

  test('goes on where it was interrupted', async () => {
    const { store, options, issueAll, before } = await filled()
    await rotateDataKeys(options)
    let pages = 0
    const dying = {
      ...store,
      reseal: (values: Parameters<typeof store.reseal>[0]) => {
        if (++pages > 2) throw new Error('killed')
        return store.reseal(values)
      },
    }
    await assert.rejects(resealAll({ ...options, store: dying, pageSize: 4 }), /killed/)
    assert.equal(await removeOldDataKeys(options), 0)
    assert.deepEqual(await issueAll(), before)
    const { resealed } = await resealAll(options)
    assert.ok(resealed > 0 && resealed < 20)
    assert.equal(await removeOldDataKeys(options), 2)
    assert.deepEqual(await issueAll(), before)
  })

  test('of the data keys is followed by servers that run', async () => {
    const { store, options } = await filled()
    const clock = { at: 0 }
    const caching = { now: () => clock.at, recheckMs: 60, ttlMs: 900, maxStaleMs: 9_000, onStale: () => assert.fail() }
    const dataKeys = new DataKeyRing({ ...options, caching })
    assert.equal((await dataKeys.current('default')).generation, 1)
    await rotateDataKeys(options)
    assert.equal((await dataKeys.current('default')).generation, 1)
    clock.at += 61
    assert.equal((await dataKeys.current('default')).generation, 2)
    assert.equal((await store.findDataKeys('default')).length, 2)
  })

  test('that removes the data key a server seals with is not noticed by who asks for keys', async () => {
    for (const policy of ['derived', 'random'] as const) {
      const { store, options } = await filled()
      const dataKeys = new DataKeyRing(options)
      const keys = new StoredContentKeys({ store, dataKeys, policy, now: () => 0, randomBytes, time: () => 0 })
      await issue(keys, [wantedOf(1)], refOf(0))
      await rotateDataKeys(options)
      await resealAll(options)
      assert.equal(await removeOldDataKeys(options), 2)
      assert.equal((await issue(keys, [wantedOf(1)], refOf(77))).first, true)
      assert.equal((await dataKeys.current('default')).generation, 2)
    }
  })

  test('of the root key wraps every data key anew and changes no key', async () => {
    const { options, issueAll, before } = await filled()
    const next = fakeRootKey(2)
    const both = {
      ...next,
      unwrap: async (wrapped: Uint8Array) => (await next.unwrap(wrapped, {})) ?? options.rootKey.unwrap(wrapped, {}),
    }
    assert.equal(await rewrapDataKeys({ ...options, rootKey: both }), 2)
    await assert.rejects(issueAll(), { code: 'ERR_ROOT_KEY_FOREIGN' })
    options.rootKey.unwrap = next.unwrap
    assert.deepEqual(await issueAll(), before)
  })

  test('of what another root key wrapped is refused', async () => {
    const { options } = await filled()
    await assert.rejects(rewrapDataKeys({ ...options, rootKey: fakeRootKey(3) }), { code: 'ERR_ROOT_KEY_FOREIGN' })
  })
})
