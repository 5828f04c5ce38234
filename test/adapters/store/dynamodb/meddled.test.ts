import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { DeleteItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { dataKeyKeyOf } from '../../../../src/adapters/store/dynamodb/items.ts'
import { dynamoDbStore } from '../../../../src/adapters/store/dynamodb/store.ts'
import { type DynamoDbTable, openDynamoDbTable } from '../../../../src/adapters/store/dynamodb/table.ts'
import { DataKeyRing, dataKeyContext } from '../../../../src/keys/crypto/data-keys.ts'
import { fakeRootKey, issue, keyringOf, wantedOf } from '../../../keys/fixtures.ts'
import { startDynamoDb } from './server.ts'

const dynamoDb = await startDynamoDb()
after(() => dynamoDb.remove())

const REF = { tenant: 'default', contentId: 'movie' }
const PK = { S: `content ${JSON.stringify(['default', 'movie'])}` }
const CONTENT = { pk: PK, sk: { S: '#content' } }
const SECRET = { pk: PK, sk: { S: '0000000000 secret' } }
const BIRTH = { at: 1_000, expiresAt: undefined }
const LOST = { code: 'ERR_STORE_UNAVAILABLE', message: /lost the secret of content "movie"/ }
const bytes = (byte: number): Uint8Array => new Uint8Array(8).fill(byte)
/** As a sealed value begins: its version, and the generation of its data key. */
const sealed = (byte: number): Uint8Array => new Uint8Array(40).fill(byte).with(0, 1).fill(0, 1, 4).with(4, 1)

async function opened(change: (table: DynamoDbTable) => DynamoDbTable = (table) => table) {
  const name = await dynamoDb.newTable()
  const table = await openDynamoDbTable({ table: name, endpoint: dynamoDb.endpoint, region: 'eu-west-1' })
  const clock = { at: 1_000 }
  const over = (graceMs: number, of = change(table)) => dynamoDbStore(of, { now: () => clock.at, graceMs, settleMs: 0 })
  return {
    name,
    table,
    clock,
    over,
    store: over(10_000),
    erase: (Key: typeof SECRET) => dynamoDb.client.send(new DeleteItemCommand({ TableName: name, Key })),
  }
}

describe('a table from which someone else removed an item', () => {
  test('finds a secret that the content item does not mention, and repairs the content item', async () => {
    const { store, erase } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], BIRTH)
    await erase(CONTENT)
    assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, bytes(1))
    assert.deepEqual((await store.putSecretIfAbsent(REF, bytes(2), [], BIRTH)).sealedSecret, bytes(1))
  })

  test('creates no other secret when it cannot tell which secret is current', async () => {
    const { store, clock, erase } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 2_000 })
    clock.at = 50_000
    await store.putNextSecret(REF, bytes(2), 1, [], BIRTH)
    await erase(CONTENT)
    await assert.rejects(store.findContent(REF, []), LOST)
    await assert.rejects(store.putSecretIfAbsent(REF, bytes(3), [], BIRTH), LOST)
  })

  test('creates no other secret when someone wrote an earlier epoch over the current one', async () => {
    const { store, clock, name } = await opened()
    await store.putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 2_000 })
    clock.at = 50_000
    await store.putNextSecret(REF, bytes(2), 1, [], BIRTH)
    const Item = { ...CONTENT, epoch: { N: '0' }, revision: { N: '0' } }
    await dynamoDb.client.send(new PutItemCommand({ TableName: name, Item }))
    await assert.rejects(store.findContent(REF, []), LOST)
    await assert.rejects(store.putSecretIfAbsent(REF, bytes(3), [], BIRTH), LOST)
  })
})

describe('a changed dynamodb.eraseAfterDays', () => {
  test('to longer: a secret that DynamoDB deleted under the old setting is an error, never replaced', async () => {
    const { over, clock, erase } = await opened()
    await over(10_000).putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
    clock.at = 75_000
    await erase(SECRET)
    const longer = over(30_000)
    await assert.rejects(longer.findContent(REF, []), LOST)
    await assert.rejects(longer.putSecretIfAbsent(REF, bytes(2), [], BIRTH), LOST)
    clock.at = 90_000
    assert.equal((await longer.findContent(REF, []))?.tombstone?.cause, 'expired')
    assert.equal((await longer.putSecretIfAbsent(REF, bytes(2), [], BIRTH)).sealedSecret, undefined)
  })

  test('to longer: a content that is requested again is kept for the new time', async () => {
    const { over, table } = await opened()
    await over(10_000).putSecretIfAbsent(REF, bytes(1), [], { at: 1_000, expiresAt: 60_000 })
    await over(30_000).putExpiry([{ ...REF, expiresAt: 61_000 }])
    assert.equal((await table.get({ pk: PK.S, sk: SECRET.sk.S }))?.ttl, 91)
  })
})

test('a data key overwritten by another region opens nothing, and no second key is returned', async () => {
  const { store, table } = await opened()
  const rootKey = fakeRootKey(1)
  const keyring = () =>
    keyringOf({ store, dataKeys: new DataKeyRing({ store, rootKey, rootKeyName: 'test', randomBytes }) }).keys
  await issue(keyring(), [wantedOf(1)])
  const wrapped = await rootKey.wrap(randomBytes(32), dataKeyContext({ tenant: 'default', generation: 1 }))
  await table.update(dataKeyKeyOf('default', 1), { wrapped })
  await assert.rejects(issue(keyring(), [wantedOf(1)]), { code: 'ERR_SEAL_BROKEN' })
})

test('a data key removed while the answer to a first secret was lost is restored', async () => {
  const { store, table } = await opened((real) => ({
    ...real,
    async put(item, condition) {
      const isSecret = item.sk.endsWith(' secret')
      if (isSecret) await real.update(dataKeyKeyOf('default', 1), { state: 'removed', ttl: 1 })
      const done = await real.put(item, condition)
      return isSecret ? false : done
    },
  }))
  const wrapped = createHash('sha256').update('wrapped').digest()
  await store.putDataKeyIfAbsent({ tenant: 'default', generation: 1, wrapped: new Uint8Array(wrapped) })
  assert.deepEqual((await store.putSecretIfAbsent(REF, sealed(7), [], BIRTH)).sealedSecret, sealed(7))
  const { state, ttl } = (await table.get(dataKeyKeyOf('default', 1))) ?? assert.fail()
  assert.deepEqual([state, ttl], [undefined, undefined])
})
