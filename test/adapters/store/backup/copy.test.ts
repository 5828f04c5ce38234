import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { copyStore } from '../../../../src/adapters/store/backup/copy.ts'
import { openDynamoDbStore } from '../../../../src/adapters/store/dynamodb/store.ts'
import { memoryStore } from '../../../../src/adapters/store/memory/store.ts'
import { openPostgresStore } from '../../../../src/adapters/store/postgres/store.ts'
import { openSqliteStore } from '../../../../src/adapters/store/sqlite/store.ts'
import { StoredContentKeys } from '../../../../src/keys/content/content-keys.ts'
import { BIRTH, issue, keyringOf, kidOf, REF, wantedOf } from '../../../keys/fixtures.ts'
import { startDynamoDb } from '../dynamodb/server.ts'
import { recordOf } from '../ledger-store-contract.ts'
import { sharedPostgres } from '../postgres/server.ts'

const [postgres, dynamoDb] = await Promise.all([sharedPostgres(), startDynamoDb()])
const scratch = mkdtempSync(join(tmpdir(), 'keyspring-copy-'))
after(async () => {
  rmSync(scratch, { recursive: true })
  await dynamoDb.remove()
})

let files = 0
const ENGINES = {
  memory: async () => memoryStore(),
  sqlite: async () => openSqliteStore({ file: join(scratch, `${files++}.db`) }),
  postgres: async () => openPostgresStore({ url: await postgres.newUrl(), migrate: true }),
  dynamodb: async () =>
    openDynamoDbStore({
      table: await dynamoDb.newTable(),
      endpoint: dynamoDb.endpoint,
      // What expires here does so early in 1970.
      now: () => 0,
      graceMs: 0,
    }),
}
const CONTENTS = 25
const refOf = (number: number) => ({ ...REF, contentId: `c${number}` })

/** A store with everything a store can hold, and the keys that were issued from it. */
async function filled(open: () => Promise<Awaited<ReturnType<typeof ENGINES.sqlite>>>) {
  const store = await open()
  const { keys, dataKeys } = keyringOf({ store })
  const override = (number: number, size: number) =>
    Array.from({ length: size }, (_, i) => {
      return { contentKeyClass: 'drm', kid: kidOf(number * 1_000 + i), sealed: randomBytes(9), pssh: {} } as const
    })
  for (let number = 0; number < CONTENTS; number++) await issue(keys, [wantedOf(1)], refOf(number))
  await store.putOverridesIfAbsent(refOf(100), override(1, 100), BIRTH)
  await store.putOverridesIfAbsent(refOf(101), override(2, 1), BIRTH)
  await store.putKidOverride(refOf(102), { intendedTrackType: 'HD', periodIndex: 3, kid: kidOf(1) })
  await store.putTombstone(refOf(103), { at: 7, reason: 'withdrawn', cause: 'deleted' })
  await store.record([recordOf({ contentId: 'c1' }), recordOf({ contentId: 'c1', periodId: 'p2', lastAt: 2 })])
  await store.putSecretIfAbsent(refOf(104), randomBytes(9), [], { at: 5, expiresAt: 50 })
  await store.putHold(refOf(104), 'court')
  await store.putDocument(refOf(104), { xml: '<CPIX/>', revision: 'a', at: 6 }, undefined)
  await store.putSecretIfAbsent(refOf(105), randomBytes(9), [], { at: 5, expiresAt: 50 })
  await store.destroyExpired([{ ...refOf(105), expiresAt: 50 }], 60, 'over')
  await store.putSecretIfAbsent(refOf(106), randomBytes(9), [], { at: 5, expiresAt: 50 })
  await store.destroyExpired([{ ...refOf(106), expiresAt: 50 }], 60, 'over')
  await store.putNextSecret(refOf(106), randomBytes(9), 1, [], { at: 70, expiresAt: undefined })
  await store.putDocument(refOf(107), { xml: '<CPIX id="alone"/>', revision: 'b', at: 7 }, undefined)
  await store.putAuditHead({ chain: 'n1/2026-11-21', seq: 9, sealed: randomBytes(9) })
  await store.putClient({
    client: { name: 'packager', tenant: 'default', scopes: ['keys:issue'] },
    credentials: [{ method: 'token', id: 'a', sha256: new Uint8Array(32) }],
  })
  return { store, dataKeys }
}

describe('store copy', () => {
  for (const [from, to] of [
    ['sqlite', 'postgres'],
    ['postgres', 'sqlite'],
    ['memory', 'sqlite'],
    ['sqlite', 'dynamodb'],
    ['dynamodb', 'sqlite'],
  ] as const) {
    test(`from ${from} to ${to} gives the same keys, and a second copy writes nothing`, async () => {
      const { store, dataKeys } = await filled(ENGINES[from])
      const target = await ENGINES[to]()
      const report = { dataKeys: 1, contents: CONTENTS + 8, periods: 2, clients: 1 }
      const progress: number[] = []
      const onProgress = ({ contents }: { readonly contents: number }) => progress.push(contents)
      assert.deepEqual(await copyStore({ from: store, to: target, pageSize: 7, onProgress }), {
        ...report,
        written: CONTENTS + 8,
      })
      assert.ok(progress.length > 3)
      assert.deepEqual(await copyStore({ from: store, to: target }), { ...report, written: 0 })
      const [old, fresh] = [store, target].map(
        (one) =>
          new StoredContentKeys({ store: one, dataKeys, policy: 'derived', now: () => 0, randomBytes, time: () => 0 }),
      )
      assert.ok(old && fresh)
      for (let number = 0; number < CONTENTS; number++) {
        assert.deepEqual(
          await issue(fresh, [wantedOf(1)], refOf(number)),
          await issue(old, [wantedOf(1)], refOf(number)),
        )
      }
      assert.equal((await target.listOverrides(refOf(100))).length, 100)
      assert.deepEqual(await target.findByContent(refOf(1), 9), await store.findByContent(refOf(1), 9))
      assert.deepEqual(await target.listClients(), await store.listClients())
      for (let number = 100; number < 108; number++) {
        assert.deepEqual(await target.findSummary(refOf(number)), await store.findSummary(refOf(number)))
        assert.deepEqual(await target.findDocument(refOf(number)), await store.findDocument(refOf(number)))
      }
      assert.equal((await target.findContent(refOf(104), []))?.life.hold, 'court')
      assert.equal((await target.findContent(refOf(106), []))?.life.epoch, 1)
      assert.deepEqual(await target.listAuditHeads(), await store.listAuditHeads())
      await Promise.all([store.close(), target.close()])
    })
  }

  test('continues where it was interrupted, and fetches what was added meanwhile', async () => {
    const { store } = await filled(ENGINES.memory)
    const target = memoryStore()
    let puts = 0
    const dying = {
      ...target,
      putSecretIfAbsent: (...values: Parameters<typeof target.putSecretIfAbsent>) => {
        if (++puts > 10) throw new Error('killed')
        return target.putSecretIfAbsent(...values)
      },
    }
    await assert.rejects(copyStore({ from: store, to: dying, pageSize: 4 }), /killed/)
    await store.putSecretIfAbsent(refOf(500), randomBytes(9), [], BIRTH)
    const { contents, written } = await copyStore({ from: store, to: target })
    assert.equal(contents, CONTENTS + 9)
    assert.ok(written < contents)
  })

  for (const to of ['sqlite', 'dynamodb'] as const) {
    test(`into ${to} again copies what was renewed, held, written, deleted and regenerated meanwhile`, async () => {
      const { store } = await filled(ENGINES.memory)
      const target = await ENGINES[to]()
      await copyStore({ from: store, to: target })
      await store.putExpiry([{ ...refOf(1), expiresAt: 9_000 }])
      await store.putHold(refOf(2), 'court')
      await store.putDocument(refOf(104), { xml: '<CPIX id="next"/>', revision: 'c', at: 8 }, 'a')
      await store.putNextSecret(refOf(105), randomBytes(9), 1, [], { at: 80, expiresAt: 90 })
      await store.putSecretIfAbsent(refOf(108), randomBytes(9), [], { at: 5, expiresAt: 50 })
      await copyStore({ from: store, to: target })
      await store.destroyExpired([{ ...refOf(108), expiresAt: 50 }], 60, 'over')
      await store.putNextSecret(refOf(108), randomBytes(9), 1, [], { at: 80, expiresAt: 90 })
      await store.putKidOverride(refOf(108), { intendedTrackType: 'HD', periodIndex: undefined, kid: kidOf(1) })
      await store.putHold(refOf(104), undefined)
      await store.putTombstone(refOf(104), { at: 99, reason: 'withdrawn', cause: 'deleted' })
      await copyStore({ from: store, to: target })
      for (const number of [1, 2, 104, 105, 108]) {
        assert.deepEqual(await target.findContent(refOf(number), []), await store.findContent(refOf(number), []))
      }
      assert.equal(await target.findDocument(refOf(104)), undefined)
      assert.equal((await copyStore({ from: store, to: target })).written, 0)
      await target.close()
    })
  }

  test('into a store with other keys is rejected', async () => {
    const [one, other] = [await filled(ENGINES.memory), await filled(ENGINES.memory)]
    const conflict = { code: 'ERR_STORE_CONFLICT' }
    await assert.rejects(copyStore({ from: one.store, to: other.store }), conflict)
    const target = memoryStore()
    await target.putSecretIfAbsent(refOf(3), randomBytes(9), [], BIRTH)
    await assert.rejects(copyStore({ from: one.store, to: target }), { ...conflict, message: /content "c3"/ })
  })
})
