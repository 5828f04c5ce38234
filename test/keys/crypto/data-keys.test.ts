import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { DataKeyRing, openKeys } from '../../../src/keys/crypto/data-keys.ts'
import type { RootKey } from '../../../src/keys/ports/root-key.ts'
import { fakeRootKey, flakyStore } from '../fixtures.ts'

const rootKeyName = '/data/root.key'
const foreign = { code: 'ERR_ROOT_KEY_FOREIGN' }

describe('data keys', () => {
  test('are made once for each tenant, whoever asks at the same moment', async () => {
    const store = memoryStore()
    const rootKey = fakeRootKey(1)
    const processes = [0, 1, 2].map(() => new DataKeyRing({ store, rootKey, rootKeyName, randomBytes }))
    const asked = processes.flatMap((dataKeys) => [dataKeys.current('a'), dataKeys.current('a')])
    const [first, ...rest] = (await Promise.all(asked)).map(({ key }) => key.export().toString('hex'))
    for (const other of rest) assert.equal(other, first)
    assert.notEqual((await processes[0]?.current('b'))?.key.export().toString('hex'), first)
    assert.equal((await store.findDataKeys('a')).length, 1)
  })

  test('are asked of the root key once', async () => {
    const rootKey = fakeRootKey(1)
    const dataKeys = new DataKeyRing({ store: memoryStore(), rootKey, rootKeyName, randomBytes })
    await dataKeys.current('a')
    const unwraps = rootKey.unwraps()
    await Promise.all(Array.from({ length: 10 }, () => dataKeys.find('a', 1)))
    assert.equal(rootKey.unwraps(), unwraps)
  })

  test('of another generation are found when another process has added it', async () => {
    const store = memoryStore()
    const rootKey = fakeRootKey(1)
    const dataKeys = new DataKeyRing({ store, rootKey, rootKeyName, randomBytes })
    assert.equal((await dataKeys.current('a')).generation, 1)
    await store.putDataKeyIfAbsent({ tenant: 'a', generation: 2, wrapped: await rootKey.wrap(randomBytes(32), {}) })
    assert.ok(await dataKeys.find('a', 2))
    assert.equal((await dataKeys.current('a')).generation, 2)
    assert.equal(await dataKeys.find('a', 3), undefined)
  })

  test('that nobody made are not made by looking for them', async () => {
    const store = memoryStore()
    const dataKeys = new DataKeyRing({ store, rootKey: fakeRootKey(1), rootKeyName, randomBytes })
    assert.equal(await dataKeys.find('a', 1), undefined)
    assert.deepEqual(await store.findDataKeys('a'), [])
    assert.ok(await dataKeys.current('a'))
  })

  test('that the store could not give are asked for again', async () => {
    const { store, setAway } = flakyStore(memoryStore())
    const dataKeys = new DataKeyRing({ store, rootKey: fakeRootKey(1), rootKeyName, randomBytes })
    setAway(true)
    await assert.rejects(dataKeys.current('a'), { code: 'ERR_STORE_UNAVAILABLE' })
    setAway(false)
    assert.ok(await dataKeys.current('a'))
  })

  test('of another root key are refused, and the tenant and the root key are named', async () => {
    const store = memoryStore()
    await new DataKeyRing({ store, rootKey: fakeRootKey(1), rootKeyName, randomBytes }).current('a')
    const other = new DataKeyRing({ store, rootKey: fakeRootKey(2), rootKeyName, randomBytes })
    await assert.rejects(other.current('a'), { ...foreign, message: /tenant "a" .* \/data\/root\.key\. Restore/ })
  })
})

describe('opening keys at start', () => {
  const opening = (store: ReturnType<typeof memoryStore>, rootKey: RootKey) => {
    const allowed: boolean[] = []
    const openRootKey = async (create: boolean) => {
      allowed.push(create)
      return { rootKey, created: create }
    }
    return { allowed, opened: openKeys({ store, openRootKey, rootKeyName, randomBytes }) }
  }

  test('a root key may be made for an empty store only', async () => {
    const [store, rootKey] = [memoryStore(), fakeRootKey(1)]
    const first = opening(store, rootKey)
    const { dataKeys, created } = await first.opened
    assert.deepEqual([first.allowed, created], [[true], true])
    await dataKeys.current('a')
    const second = opening(store, rootKey)
    assert.equal((await second.opened).created, false)
    assert.deepEqual(second.allowed, [false])
  })

  test('a root key that does not own the data keys of a tenant is refused', async () => {
    const store = memoryStore()
    const { dataKeys } = await opening(store, fakeRootKey(1)).opened
    await dataKeys.current('a')
    await assert.rejects(opening(store, fakeRootKey(2)).opened, foreign)
  })
})
