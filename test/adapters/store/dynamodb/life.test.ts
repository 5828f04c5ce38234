import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { DeleteItemCommand, GetItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { type DynamoDbStore, dynamoDbStore } from '../../../../src/adapters/store/dynamodb/store.ts'
import { type DynamoDbTable, openDynamoDbTable } from '../../../../src/adapters/store/dynamodb/table.ts'
import { kidOf } from '../../../keys/fixtures.ts'
import { startDynamoDb } from './server.ts'

const dynamoDb = await startDynamoDb()
after(() => dynamoDb.remove())

const REF = { tenant: 'default', contentId: 'movie' }
const PK = `content ${JSON.stringify(['default', 'movie'])}`
const SECRET = { pk: { S: PK }, sk: { S: '0000000000 secret' } }
const CONTENT = { pk: { S: PK }, sk: { S: '#content' } }
const GRACE = 10_000
const bytes = (byte: number): Uint8Array => new Uint8Array(8).fill(byte)

/** A process that ends: from its write number `writes` on nothing is done. */
function endingAfter(table: DynamoDbTable, writes: number): DynamoDbTable {
  let left = writes
  const step = <T>(write: () => Promise<T>): Promise<T> => (left-- > 0 ? write() : Promise.reject(new Error('ended')))
  return {
    ...table,
    put: (...given) => step(() => table.put(...given)),
    update: (...given) => step(() => table.update(...given)),
    remove: (...given) => step(() => table.remove(...given)),
  }
}

async function opened() {
  const name = await dynamoDb.newTable()
  const table = await openDynamoDbTable({ table: name, endpoint: dynamoDb.endpoint, region: 'eu-west-1' })
  const clock = { at: 1_000 }
  const over = (one: DynamoDbTable): DynamoDbStore =>
    dynamoDbStore(one, { now: () => clock.at, graceMs: GRACE, settleMs: 0 })
  const get = async (Key: typeof SECRET) =>
    (await dynamoDb.client.send(new GetItemCommand({ TableName: name, Key }))).Item
  return {
    name,
    clock,
    store: over(table),
    ending: (writes: number) => over(endingAfter(table, writes)),
    /** What DynamoDB does to an item whose `ttl` has passed. */
    erase: (Key: typeof SECRET) => dynamoDb.client.send(new DeleteItemCommand({ TableName: name, Key })),
    secretTtl: async () => (await get(SECRET))?.ttl?.N,
    content: () => get(CONTENT),
  }
}

describe('a content that expires', () => {
  test('is deleted by DynamoDB after expiry and grace period, in whole seconds', async () => {
    const { store, secretTtl } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_001 })
    assert.equal(await secretTtl(), '71')
  })

  test('has no ttl while it never expires', async () => {
    const { store, secretTtl } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: undefined })
    assert.equal(await secretTtl(), undefined)
  })

  test('exists until the grace period ends', async () => {
    const { store, clock } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
    clock.at = 60_000 + GRACE - 1
    assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, bytes(1))
  })

  test('reads as destroyed after that, whether DynamoDB deleted it or not, and gets no other secret by accident', async () => {
    const { store, clock, erase } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
    clock.at = 60_000 + GRACE
    const gone = { at: 60_000 + GRACE, reason: 'expired', cause: 'expired' }
    for (const step of ['not erased', 'erased']) {
      if (step === 'erased') await erase(SECRET)
      const found = await store.findContent(REF, [])
      assert.deepEqual([found?.tombstone, found?.sealedSecret], [gone, undefined], step)
      const put = await store.putSecretIfAbsent(REF, bytes(2), [], { at: 2_000, expiresAt: undefined })
      assert.deepEqual([put.tombstone, put.sealedSecret], [gone, undefined], step)
    }
  })

  test('gets the next secret on request, and nothing of the old epoch', async () => {
    const { store, clock } = await opened()
    const override = { contentKeyClass: 'drm', kid: kidOf(1), sealed: bytes(3), pssh: {} } as const
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
    await store.putOverridesIfAbsent(REF, [override], { at: 1_000, expiresAt: undefined })
    clock.at = 60_000 + GRACE
    const next = { at: clock.at, expiresAt: 200_000 }
    const [one, other] = await Promise.all([
      store.putNextSecret(REF, bytes(2), 1, [], next),
      store.putNextSecret(REF, bytes(9), 1, [], next),
    ])
    assert.deepEqual(one?.sealedSecret, other?.sealedSecret)
    assert.deepEqual([one?.life.epoch, one?.tombstone, one?.overrides], [1, undefined, []])
    assert.deepEqual(await store.findContent(REF, []), one)
  })

  test('is not deleted under legal hold, and is deleted after the release', async () => {
    const { store, clock, secretTtl } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
    assert.equal(await store.putHold(REF, 'case 7'), true)
    assert.equal(await secretTtl(), undefined)
    clock.at = 900_000
    assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, bytes(1))
    assert.equal(await store.putHold(REF, undefined), true)
    assert.equal(await secretTtl(), '70')
    assert.equal((await store.findContent(REF, []))?.tombstone?.cause, 'expired')
  })
})

describe('a secret that disappears before its time', () => {
  for (const expiresAt of [undefined, 60_000]) {
    test(`is an error, and is not replaced (expiry ${expiresAt})`, async () => {
      const { store, erase } = await opened()
      await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt })
      await erase(SECRET)
      const lost = { code: 'ERR_STORE_UNAVAILABLE', message: /lost the secret of content "movie"/ }
      await assert.rejects(store.findContent(REF, []), lost)
      await assert.rejects(store.putSecretIfAbsent(REF, bytes(2), [], { at: 2_000, expiresAt }), lost)
    })
  }
})

/** Runs `work` in processes that end after each number of writes; then what stands must do for `check`. */
async function endedAnywhere(
  prepare: (store: DynamoDbStore) => Promise<unknown>,
  work: (store: DynamoDbStore) => Promise<unknown>,
  check: (all: Awaited<ReturnType<typeof opened>>) => Promise<void>,
): Promise<number> {
  for (let writes = 0; ; writes++) {
    const all = await opened()
    await prepare(all.store)
    const ended = await work(all.ending(writes)).then(
      () => false,
      () => true,
    )
    await check(all)
    if (!ended) return writes
  }
}

describe('a process that ends between two writes', () => {
  test('of a first secret leaves none, or the one that every caller gets', async () => {
    const birth = { at: 1_000, expiresAt: 60_000 }
    const writes = await endedAnywhere(
      async () => {},
      (store) => store.putSecretIfAbsent(REF, bytes(1), [], birth),
      async ({ store, secretTtl, content }) => {
        const seen = (await store.findContent(REF, []))?.sealedSecret
        const given = (await store.putSecretIfAbsent(REF, bytes(2), [], birth)).sealedSecret
        assert.deepEqual(given, seen ?? bytes(2))
        assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, given)
        assert.equal((await content())?.hasSecret?.N, '1')
        assert.ok(Number((await secretTtl()) ?? Number.POSITIVE_INFINITY) >= 70)
      },
    )
    assert.ok(writes >= 3)
  })

  test('of random keys leaves none for a kid, or the one that every caller gets', async () => {
    const birth = { at: 1_000, expiresAt: 60_000 }
    const overridesOf = (byte: number) =>
      [1, 2, 3].map((n) => ({ contentKeyClass: 'drm' as const, kid: kidOf(n), sealed: bytes(byte), pssh: {} }))
    await endedAnywhere(
      async () => {},
      (store) => store.putOverridesIfAbsent(REF, overridesOf(1), birth),
      async ({ store }) => {
        const seen = (await store.findContent(REF, []))?.overrides ?? []
        const given = (await store.putOverridesIfAbsent(REF, overridesOf(2), birth)).overrides
        assert.equal(given.length, 3)
        for (const one of seen)
          assert.ok(given.some((other) => other.kid === one.kid && other.sealed[0] === one.sealed[0]))
        assert.deepEqual((await store.findContent(REF, []))?.overrides, given)
        assert.equal((await store.findContent(REF, []))?.life.expiresAt, 60_000)
      },
    )
  })

  test('of a deletion by an operator leaves a complete or a destroyed content, and can be repeated', async () => {
    const tombstone = { at: 2_000, reason: 'withdrawn', cause: 'deleted' } as const
    await endedAnywhere(
      (store) => store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: undefined }),
      (store) => store.putTombstone(REF, tombstone),
      async ({ store, name }) => {
        const found = await store.findContent(REF, [])
        assert.notEqual(found?.sealedSecret === undefined, found?.tombstone === undefined)
        await store.putTombstone(REF, tombstone)
        assert.deepEqual((await store.findContent(REF, []))?.tombstone, tombstone)
        const { Items = [] } = await dynamoDb.client.send(new ScanCommand({ TableName: name }))
        assert.equal(Items.length, 1)
      },
    )
  })

  for (const [title, from, to] of [
    ['later', 60_000, 90_000],
    ['earlier', 90_000, 60_000],
    ['never', 60_000, undefined],
    ['after all', undefined, 60_000],
  ] as const) {
    test(`of an expiry that is ${title} never lets DynamoDB delete the secret before the content expires`, async () => {
      const writes = await endedAnywhere(
        (store) => store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: from }),
        (store) => store.putExpiry([{ ...REF, expiresAt: to }]),
        async ({ store, secretTtl }) => {
          const erasedAt = Number((await secretTtl()) ?? Number.POSITIVE_INFINITY) * 1_000
          const { expiresAt = Number.POSITIVE_INFINITY } = (await store.findContent(REF, []))?.life ?? assert.fail()
          assert.ok(erasedAt >= expiresAt + GRACE, `${erasedAt} before ${expiresAt} + ${GRACE}`)
          await store.putExpiry([{ ...REF, expiresAt: 75_000 }])
          assert.equal((await store.findContent(REF, []))?.life.expiresAt, 75_000)
        },
      )
      assert.equal(writes, 2)
    })
  }

  test('of a destruction leaves a complete or a destroyed content, and a sweep removes the rest', async () => {
    await endedAnywhere(
      (store) => store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 }),
      (store) => store.destroyExpired([{ ...REF, expiresAt: 60_000 }], 61_000, 'expired'),
      async ({ store, name }) => {
        const found = await store.findContent(REF, [])
        assert.notEqual(found?.sealedSecret === undefined, found?.tombstone === undefined)
        const listed = await store.listExpired(61_000, undefined, 10)
        await store.destroyExpired(listed, 61_000, 'expired')
        assert.equal((await store.findContent(REF, []))?.tombstone?.cause, 'expired')
        const { Items = [] } = await dynamoDb.client.send(new ScanCommand({ TableName: name }))
        assert.deepEqual(
          Items.map(({ sk }) => sk?.S),
          ['#content'],
        )
        assert.deepEqual(await store.listExpired(61_000, undefined, 10), [])
      },
    )
  })

  test('of a next secret leaves the content destroyed, or with the one secret that every caller gets', async () => {
    const birth = { at: 80_000, expiresAt: undefined }
    await endedAnywhere(
      async (store) => {
        await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
        await store.destroyExpired([{ ...REF, expiresAt: 60_000 }], 61_000, 'expired')
      },
      (store) => store.putNextSecret(REF, bytes(2), 1, [], birth),
      async ({ store }) => {
        const seen = await store.findContent(REF, [])
        assert.notDeepEqual(seen?.sealedSecret, bytes(1))
        const given = await store.putNextSecret(REF, bytes(3), 1, [], birth)
        assert.equal(given.life.epoch, 1)
        if (seen?.sealedSecret !== undefined) assert.deepEqual(given.sealedSecret, seen.sealedSecret)
        assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, given.sealedSecret)
      },
    )
  })
})

test('expiries that many processes set at once never let DynamoDB delete the secret before the content expires', async () => {
  const { store, secretTtl } = await opened()
  await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
  const times = [90_000, undefined, 70_000, 120_000, 65_000, undefined, 80_000]
  await Promise.all(times.map((expiresAt) => store.putExpiry([{ ...REF, expiresAt }])))
  const erasedAt = Number((await secretTtl()) ?? Number.POSITIVE_INFINITY) * 1_000
  const { expiresAt = Number.POSITIVE_INFINITY } = (await store.findContent(REF, []))?.life ?? assert.fail()
  assert.ok(times.map((time) => time ?? Number.POSITIVE_INFINITY).includes(expiresAt))
  assert.ok(erasedAt >= expiresAt + GRACE)
})
