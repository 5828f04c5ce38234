import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { openDynamoDbStore } from '../../../../src/adapters/store/dynamodb/store.ts'
import { KeyProviderError } from '../../../../src/core/errors.ts'
import { DataKeyRing } from '../../../../src/keys/crypto/data-keys.ts'
import { fakeRootKey, issue, keyringOf, kidOf, wantedOf } from '../../../keys/fixtures.ts'
import { type Fault, startChaosProxy } from './chaos.ts'
import { startDynamoDb } from './server.ts'

const dynamoDb = await startDynamoDb()
const opened: { close(): Promise<void> }[] = []
after(async () => {
  await Promise.all(opened.map((one) => one.close()))
  await dynamoDb.remove()
})

const FAULTS: readonly Fault[] = ['throttled', 'failed', 'answer lost', 'delayed', 'repeated late', 'half done']

/** Numbers that are the same for the same seed. @see https://en.wikipedia.org/wiki/Linear_congruential_generator */
function numbersOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const storeAt = async (table: string, endpoint: string, attempts = 3) => {
  const store = await openDynamoDbStore({
    table,
    endpoint,
    region: 'eu-west-1',
    attempts,
    timeoutMs: 3_000,
    now: () => 1_000_000,
    graceMs: 10_000,
  })
  opened.push(store)
  return store
}
const proxyOf = async (faultOf: Parameters<typeof startChaosProxy>[1]) => {
  const proxy = await startChaosProxy(dynamoDb.endpoint, faultOf)
  opened.push(proxy)
  return proxy
}

for (const policy of ['derived', 'random'] as const) {
  describe(`a table with random faults, ${policy} keys`, () => {
    for (const seed of [1, 2, 3]) {
      test(`returns no second key for a kid, and loses none that it returned (${seed})`, async () => {
        const next = numbersOf(seed)
        const table = await dynamoDb.newTable()
        const proxy = await proxyOf(() => (next() < 0.35 ? FAULTS[Math.floor(next() * FAULTS.length)] : undefined))
        const rootKey = fakeRootKey(1)
        const keyringAt = async (endpoint: string) => {
          const store = await storeAt(table, endpoint)
          const dataKeys = new DataKeyRing({ store, rootKey, rootKeyName: 'test', randomBytes })
          return { store, keys: keyringOf({ store, dataKeys, policy }).keys }
        }
        const contents = ['a', 'b', 'c'].map((contentId) => ({ tenant: 'default', contentId }))
        const wanted = [wantedOf(1), wantedOf(2), wantedOf(1, 'clear')]
        const given = new Map<string, readonly string[]>()
        let issued = 0
        for (let round = 0; round < 4; round++) {
          // Processes that start at once, and know nothing of each other.
          const all = await Promise.all([1, 2, 3].map(() => keyringAt(proxy.endpoint)))
          await Promise.all(
            all.flatMap(({ keys }) =>
              contents.map(async (ref) => {
                const answer = await issue(keys, wanted, ref).catch((error: unknown) => {
                  assert.ok(error instanceof KeyProviderError && error.code === 'ERR_STORE_UNAVAILABLE', String(error))
                })
                if (answer === undefined) return
                issued++
                assert.deepEqual(answer.keys, given.get(ref.contentId) ?? answer.keys)
                given.set(ref.contentId, answer.keys)
              }),
            ),
          )
        }
        await proxy.settled()
        const clean = await keyringAt(dynamoDb.endpoint)
        for (const [contentId, keys] of given) {
          assert.deepEqual((await issue(clean.keys, wanted, { tenant: 'default', contentId })).keys, keys)
        }
        assert.ok(issued >= 9, `${issued} answers`)
        assert.ok([...proxy.made.values()].reduce((sum, one) => sum + one, 0) >= 20)
      })
    }
  })
}

const REF = { tenant: 'default', contentId: 'movie' }
const BIRTH = { at: 1_000, expiresAt: undefined }
const bytes = (byte: number): Uint8Array => new Uint8Array(8).fill(byte)

describe('a duplicate write that arrives late', () => {
  /** A store whose next write of this kind is repeated. */
  const repeating = async () => {
    let repeats = ''
    const table = await dynamoDb.newTable()
    const proxy = await proxyOf((operation) => {
      if (operation !== repeats) return undefined
      repeats = ''
      return 'repeated late'
    })
    const store = await storeAt(table, proxy.endpoint)
    return {
      store,
      proxy,
      repeat: (operation: string) => {
        repeats = operation
      },
    }
  }

  test('does not restore a key that was replaced since', async () => {
    const { store, proxy, repeat } = await repeating()
    const override = (byte: number) => ({
      contentKeyClass: 'drm' as const,
      kid: kidOf(1),
      sealed: bytes(byte),
      pssh: {},
    })
    await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
    await store.replaceOverride(REF, override(2), BIRTH)
    repeat('PutItem')
    await store.replaceOverride(REF, override(3), BIRTH)
    await store.replaceOverride(REF, override(4), BIRTH)
    await proxy.settled()
    assert.deepEqual(
      (await store.listOverrides(REF)).map(({ sealed }) => sealed),
      [bytes(4)],
    )
  })

  test('does not restore a kid that was replaced since', async () => {
    const { store, proxy, repeat } = await repeating()
    const rule = (kid: number) => ({ intendedTrackType: 'SD', periodIndex: undefined, kid: kidOf(kid) })
    await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
    repeat('PutItem')
    await store.putKidOverride(REF, rule(1))
    await store.putKidOverride(REF, rule(2))
    await proxy.settled()
    assert.deepEqual(
      (await store.findContent(REF, []))?.kidOverrides.map(({ kid }) => kid),
      [kidOf(2)],
    )
  })
})

describe('a write whose answer is lost', () => {
  const losing = async (operation: string) => {
    let losses = 1
    const table = await dynamoDb.newTable()
    const proxy = await proxyOf((given) => (given === operation && losses-- > 0 ? 'answer lost' : undefined))
    return storeAt(table, proxy.endpoint)
  }

  test('reports that it replaced the key', async () => {
    const store = await losing('PutItem')
    const override = { contentKeyClass: 'drm' as const, kid: kidOf(1), sealed: bytes(3), pssh: {} }
    await store.replaceOverride(REF, override, BIRTH)
    assert.deepEqual(
      (await store.listOverrides(REF)).map(({ sealed }) => sealed),
      [bytes(3)],
    )
  })

  test('of a request with an idempotency key is recognised as its own', async () => {
    const store = await losing('PutItem')
    const write = { tenant: 'default', client: 'ops', key: 'k1', requestHash: 'h', at: 5, reply: undefined }
    assert.equal(await store.beginWrite(write, 0), undefined)
    assert.deepEqual(await store.beginWrite(write, 0), write)
  })

  test('of a destruction is reported as one, so that it is recorded', async () => {
    let losses = 0
    const table = await dynamoDb.newTable()
    const proxy = await proxyOf((given) => (given === 'UpdateItem' && losses-- > 0 ? 'answer lost' : undefined))
    const store = await storeAt(table, proxy.endpoint)
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 995_000 })
    losses = 1
    assert.deepEqual(await store.destroyExpired([{ ...REF, expiresAt: 995_000 }], 1_000_000, 'expired'), [REF])
  })
})
