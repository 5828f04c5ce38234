import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { openSqliteQueue } from '../../../../src/adapters/store/sqlite/queue.ts'
import { SQLITE_MIGRATIONS } from '../../../../src/adapters/store/sqlite/schema.ts'
import { openSqliteStore } from '../../../../src/adapters/store/sqlite/store.ts'
import type { KeyProviderError } from '../../../../src/core/errors.ts'
import { StoredContentKeys } from '../../../../src/keys/content/content-keys.ts'
import { seal } from '../../../../src/keys/crypto/seal.ts'
import { BIRTH, issue, keyringOf, kidOf, REF, wantedOf } from '../../../keys/fixtures.ts'
import { recordOf } from '../ledger-store-contract.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-failures-'))
after(() => rmSync(scratch, { recursive: true }))

let files = 0
const newFile = (): string => join(scratch, `${files++}.db`)
const refOf = (number: number) => ({ ...REF, contentId: `c${number}` })

/** ERR_STORE_UNAVAILABLE that names the file, says what to do and keeps the engine's error. */
function unavailable(file: string, remedy: RegExp) {
  return (error: KeyProviderError): boolean => {
    assert.equal(error.code, 'ERR_STORE_UNAVAILABLE')
    assert.ok(error.message.includes(file), error.message)
    assert.match(error.message, remedy)
    assert.ok(error.cause instanceof Error)
    return true
  }
}

describe('a failing SQLite store', () => {
  test('a full disk is an error for new contents; known contents are answered, and new ones once there is space', async () => {
    const file = newFile()
    const roomy = openSqliteStore({ file })
    await roomy.putSecretIfAbsent(REF, Uint8Array.of(1), [], BIRTH)
    await roomy.close()
    const store = openSqliteStore({ file, maxBytes: 128 * 1024 })
    const { keys } = keyringOf({ store })
    const known = await issue(keys, [wantedOf(1)], refOf(0))
    const big = { contentKeyClass: 'drm', kid: kidOf(1), sealed: randomBytes(256 * 1024), pssh: {} } as const
    const [failed, small] = await Promise.allSettled([
      store.putOverridesIfAbsent(refOf(1), [big], BIRTH),
      store.putSecretIfAbsent(refOf(2), Uint8Array.of(2), [], BIRTH),
    ])
    assert.equal(failed.status, 'rejected')
    unavailable(file, /the disk is full/)(failed.status === 'rejected' ? failed.reason : undefined)
    assert.equal(await store.findContent(refOf(1), []), undefined)
    // What was told stands, whichever way the other write of the group went.
    assert.equal((await store.findContent(refOf(2), [])) !== undefined, small.status === 'fulfilled')
    assert.deepEqual((await issue(keys, [wantedOf(1)], refOf(0))).keys, known.keys)
    assert.deepEqual((await store.findContent(REF, []))?.sealedSecret, Uint8Array.of(1))
    await store.putSecretIfAbsent(refOf(3), Uint8Array.of(3), [], BIRTH)
    await store.close()
  })

  test('a full disk loses no acknowledged write', async () => {
    const file = newFile()
    const store = openSqliteStore({ file, maxBytes: 160 * 1024 })
    const puts = await Promise.allSettled(
      Array.from({ length: 400 }, (_, number) => store.putSecretIfAbsent(refOf(number), randomBytes(500), [], BIRTH)),
    )
    assert.ok(puts.some(({ status }) => status === 'rejected'))
    for (const [number, put] of puts.entries()) {
      const found = await store.findContent(refOf(number), [])
      if (put.status === 'rejected') assert.equal(put.reason.code, 'ERR_STORE_UNAVAILABLE')
      assert.equal(found !== undefined, put.status === 'fulfilled')
    }
    await store.close()
  })

  test('a lock held by another process is an error until that process ends', async () => {
    const file = newFile()
    const store = openSqliteStore({ file, busyTimeoutMs: 50 })
    const { keys } = keyringOf({ store })
    const known = await issue(keys, [wantedOf(1)], refOf(0))
    const other = new DatabaseSync(file)
    other.exec('BEGIN EXCLUSIVE')
    await assert.rejects(
      store.putSecretIfAbsent(refOf(1), Uint8Array.of(1), [], BIRTH),
      unavailable(file, /locked by another process/),
    )
    await assert.rejects(issue(keys, [wantedOf(1)], refOf(2)), unavailable(file, /locked by another process/))
    assert.deepEqual((await issue(keys, [wantedOf(2), wantedOf(1)], refOf(0))).keys[1], known.keys[0])
    other.exec('ROLLBACK')
    other.close()
    assert.ok(await store.putSecretIfAbsent(refOf(1), Uint8Array.of(1), [], BIRTH))
    assert.equal((await issue(keys, [wantedOf(1)], refOf(2))).first, true)
    await store.close()
  })

  test('a second process writes while the first is open', async () => {
    const file = newFile()
    const server = openSqliteStore({ file })
    const operator = openSqliteStore({ file, create: false })
    await Promise.all([
      ...Array.from({ length: 50 }, (_, number) =>
        server.putSecretIfAbsent(refOf(number), Uint8Array.of(1), [], BIRTH),
      ),
      ...Array.from({ length: 50 }, (_, number) =>
        operator.putSecretIfAbsent(refOf(number), Uint8Array.of(2), [], BIRTH),
      ),
    ])
    for (let number = 0; number < 50; number++) {
      const read = await Promise.all([server.findContent(refOf(number), []), operator.findContent(refOf(number), [])])
      assert.ok(read[0])
      assert.deepEqual(read[0], read[1])
    }
    await operator.close()
    await server.close()
  })

  test('a failed write fails no other write of its group', async () => {
    const file = newFile()
    const store = openSqliteStore({ file })
    await store.putTombstone(refOf(0), { at: 1, reason: 'withdrawn', cause: 'deleted' })
    const override = { contentKeyClass: 'drm', kid: kidOf(1), sealed: Uint8Array.of(1), pssh: {} } as const
    const noNumber = { tenant: 'default', generation: Number.NaN, wrapped: Uint8Array.of(1) }
    const [good, gone, bad, alsoGood] = await Promise.allSettled([
      store.putSecretIfAbsent(refOf(1), Uint8Array.of(1), [], BIRTH),
      store.replaceOverride(refOf(0), override, BIRTH),
      store.putDataKeyIfAbsent(noNumber),
      store.replaceOverride(refOf(2), override, BIRTH),
    ])
    assert.deepEqual([good.status, alsoGood.status], ['fulfilled', 'fulfilled'])
    assert.equal(gone.status === 'rejected' && gone.reason.code, 'ERR_CONTENT_GONE')
    assert.equal(bad.status === 'rejected' && bad.reason.code, 'ERR_STORE_UNAVAILABLE')
    assert.ok(await store.findContent(refOf(1), []))
    assert.equal((await store.listOverrides(refOf(2))).length, 1)
    await store.close()
  })

  test('a ledger report does not delay secrets, and is written among many of them', async () => {
    const store = openSqliteStore({ file: newFile() })
    const records = Array.from({ length: 20 }, (_, number) => store.record([recordOf({ periodId: `p${number}` })]))
    const secrets = Array.from({ length: 20 }, (_, number) =>
      store.putSecretIfAbsent(refOf(number), Uint8Array.of(1), [], BIRTH),
    )
    const order: string[] = []
    await Promise.all([
      Promise.all(secrets).then(() => order.push('secrets')),
      Promise.all(records).then(() => order.push('reports')),
    ])
    assert.deepEqual(order, ['secrets', 'reports'])
    await store.close()
  })

  test('rejects a file that is not a database', () => {
    const file = newFile()
    writeFileSync(file, randomBytes(8192))
    assert.throws(() => openSqliteStore({ file }), unavailable(file, /is not a keyspring store/))
  })

  test('a damaged file is an error, not an empty store', async () => {
    const file = newFile()
    const whole = openSqliteStore({ file })
    for (let number = 0; number < 200; number++)
      await whole.putSecretIfAbsent(refOf(number), randomBytes(65), [], BIRTH)
    await whole.close()
    const db = new DatabaseSync(file)
    const pages = Number(db.prepare('PRAGMA page_count').get()?.page_count)
    const root = Number(db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'content'").get()?.rootpage)
    db.close()
    assert.ok(pages > root)
    overwrite(file, (root - 1) * 4096, randomBytes(4096))
    const store = openSqliteStore({ file })
    await assert.rejects(store.findContent(refOf(1), []), unavailable(file, /damaged: restore it from a backup/))
    await assert.rejects(store.putSecretIfAbsent(refOf(999), Uint8Array.of(1), [], BIRTH), unavailable(file, /damaged/))
    await store.close()
  })

  test('rejects a schema of a later version and names both versions', () => {
    const file = newFile()
    const db = new DatabaseSync(file)
    db.exec('PRAGMA user_version = 999')
    db.close()
    assert.throws(() => openSqliteStore({ file }), {
      code: 'ERR_STORE_SCHEMA_NEWER',
      message: /schema 999, .* up to \d+: run the newer keyspring/,
    })
  })

  test('a schema with altered steps is rejected', async () => {
    const file = newFile()
    await openSqliteStore({ file }).close()
    const db = new DatabaseSync(file)
    db.exec("UPDATE migration SET checksum = 'other' WHERE version = 1")
    db.close()
    assert.throws(() => openSqliteStore({ file }), {
      code: 'ERR_STORE_UNAVAILABLE',
      message: /ran step 1 .* does not know/,
    })
  })

  test('a store without a history of steps keeps its rows', async () => {
    const file = newFile()
    const db = new DatabaseSync(file)
    db.exec(SQLITE_MIGRATIONS[0]?.sql ?? '')
    db.exec(`INSERT INTO content VALUES ('default', 'movie', x'01', NULL, NULL), ('default', 'gone', NULL, 7, 'why');
      INSERT INTO override VALUES ('default', 'imported', '${kidOf(1)}', 'drm', x'02', '[]');
      INSERT INTO kid_override VALUES ('default', 'ruled', '', '', '${kidOf(1)}');
      INSERT INTO ledger_period (tenant, content_id, period_id, first_at, last_at, record)
        VALUES ('default', 'movie', '', 1, 2, '{"tenant":"default","contentId":"movie","keys":[]}')`)
    db.exec('PRAGMA user_version = 1')
    db.close()
    const store = openSqliteStore({ file })
    const find = (contentId: string) => store.findContent({ tenant: 'default', contentId }, [])
    const unborn = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }
    const movie = await find('movie')
    assert.deepEqual([movie?.sealedSecret, movie?.life], [Uint8Array.of(1), unborn])
    assert.deepEqual((await find('gone'))?.tombstone, { at: 7, reason: 'why', cause: 'deleted' })
    assert.deepEqual((await find('imported'))?.overrides[0]?.sealed, Uint8Array.of(2))
    assert.deepEqual(
      (await store.searchContents({ tenant: 'default', limit: 9 })).contents.map(({ contentId }) => contentId),
      ['gone', 'imported', 'movie', 'ruled'],
    )
    const [period] = await store.findByContent(REF, 1)
    assert.equal(period?.keepUntil, 2 + 7 * 86_400_000)
    assert.deepEqual(await store.countSeals(), [])
    await store.close()
  })

  test('does not create a store that must exist', () => {
    const file = newFile()
    assert.throws(() => openSqliteStore({ file, create: false }), unavailable(file, /cannot be opened/))
  })

  test('a directory is rejected when its directory does not exist', () => {
    const file = join(scratch, 'no', 'such', 'keys.db')
    assert.throws(() => openSqliteStore({ file }), unavailable(file, /check that its directory exists/))
  })

  test('rejects a credential sealed with a removed data key', async () => {
    const store = openSqliteStore({ file: newFile() })
    await store.putDataKeyIfAbsent({ tenant: 'studio', generation: 1, wrapped: Uint8Array.of(1) })
    await store.putDataKeyIfAbsent({ tenant: 'studio', generation: 2, wrapped: Uint8Array.of(2) })
    assert.equal(await store.removeDataKey('studio', 1), true)
    const context = { kind: 'client-credential', tenant: 'studio', method: 'sigv4', id: 'KS00' } as const
    const sealed = seal({ generation: 1, key: createSecretKey(randomBytes(32)) }, context, randomBytes(40), randomBytes)
    const put = store.putClient({
      client: { name: 'packager', tenant: 'studio', scopes: ['keys:issue'] },
      credentials: [{ method: 'sigv4', id: 'KS00', sealed }],
    })
    await assert.rejects(put, { code: 'ERR_DATA_KEY_REMOVED' })
    assert.deepEqual(await store.listClients(), [])
    await store.close()
  })

  test('rows swapped in the file do not open', async () => {
    const file = newFile()
    const store = openSqliteStore({ file })
    const { keys, dataKeys } = keyringOf({ store })
    await issue(keys, [wantedOf(1)], refOf(1))
    await issue(keys, [wantedOf(1)], refOf(2))
    const other = new DatabaseSync(file)
    other.exec(`UPDATE content SET sealed_secret = (SELECT sealed_secret FROM content WHERE content_id = 'c2')
      WHERE content_id = 'c1'`)
    other.close()
    const later = new StoredContentKeys({
      store,
      dataKeys,
      policy: 'derived',
      now: () => 0,
      randomBytes,
      time: () => 0,
    })
    await assert.rejects(issue(later, [wantedOf(1)], refOf(1)), { code: 'ERR_SEAL_BROKEN' })
    assert.ok(await issue(later, [wantedOf(1)], refOf(2)))
    await store.close()
  })

  test('a writer that cannot start fails every write at once', async () => {
    const file = join(scratch, 'nowhere', 'keys.db')
    const queue = openSqliteQueue({ file, busyTimeoutMs: 10, pragmas: '' })
    const writes = [1, 2, 3].map(() => queue.write('putSecretIfAbsent', REF, Uint8Array.of(1), [], BIRTH))
    for (const write of writes) await assert.rejects(write, unavailable(file, /cannot be opened/))
    await queue.close()
  })

  const crashes = {
    throws: "throw new Error('crash')",
    exits: 'process.exit(3)',
    'runs out of memory': 'for (let a = [];;) a.push(new Array(1e5).fill(a))',
  }
  for (const [how, code] of Object.entries(crashes)) {
    test(`a writer that ${how} fails waiting and later writes, and close() still ends`, async () => {
      const file = newFile()
      const source = `require('node:worker_threads').parentPort.on('message', () => { ${code} })`
      const limits = { resourceLimits: { maxOldGenerationSizeMb: 16 } }
      const queue = openSqliteQueue(
        { file, busyTimeoutMs: 10, pragmas: '' },
        { start: () => new Worker(source, { eval: true, ...limits }) },
      )
      const writes = [1, 2].map(() => queue.write('putSecretIfAbsent', REF, Uint8Array.of(1), [], BIRTH))
      const later = new Promise((resolve) => setImmediate(resolve)).then(() => queue.write('prune', 1, 1))
      for (const write of [...writes, later]) await assert.rejects(write, unavailable(file, /does not answer/))
      await assert.rejects(queue.write('prune', 1, 1), unavailable(file, /does not answer/))
      await queue.close()
    })
  }
})

/** Writes over a part of a file. */
function overwrite(file: string, position: number, bytes: Uint8Array): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, bytes, 0, bytes.length, position)
  closeSync(descriptor)
}
