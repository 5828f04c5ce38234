import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { openLocalRootKey } from '../../../../src/adapters/root-keys/local.ts'
import { checksumOf } from '../../../../src/adapters/store/migration.ts'
import { openPostgresPool } from '../../../../src/adapters/store/postgres/pool.ts'
import { POSTGRES_MIGRATIONS, POSTGRES_SCHEMA_VERSION } from '../../../../src/adapters/store/postgres/schema.ts'
import { migratePostgresStore, openPostgresStore } from '../../../../src/adapters/store/postgres/store.ts'
import type { KeyProviderError } from '../../../../src/core/errors.ts'
import { Secret } from '../../../../src/core/secret.ts'
import { StoredContentKeys } from '../../../../src/keys/content/content-keys.ts'
import { seal } from '../../../../src/keys/crypto/seal.ts'
import { BIRTH, issue, keyringOf, kidOf, REF, wantedOf } from '../../../keys/fixtures.ts'
import { recordOf } from '../ledger-store-contract.ts'
import { raceFirstRequests } from './races.ts'
import { startPostgres } from './server.ts'
import { startTcpProxy } from './tcp-proxy.ts'

const postgres = await startPostgres(['-c', 'deadlock_timeout=50ms'])
after(() => postgres.remove())

const refOf = (number: number) => ({ ...REF, contentId: `c${number}` })
const withPort = (url: Secret<string>, port: number): Secret<string> =>
  new Secret(url.reveal().replace(`:${postgres.port}/`, `:${port}/`))

/** ERR_STORE_UNAVAILABLE that says what to do and holds no password. */
function unavailable(remedy: RegExp) {
  return (error: KeyProviderError): boolean => {
    assert.equal(error.code, 'ERR_STORE_UNAVAILABLE')
    assert.match(error.message, remedy)
    assert.ok(!inspect(error, { depth: 9 }).includes(postgres.password))
    return true
  }
}

describe('the schema of postgres', () => {
  test('is not created without a request, and the error names the command that creates it', async () => {
    const url = await postgres.newUrl()
    await assert.rejects(openPostgresStore({ url }), { code: 'ERR_STORE_SCHEMA_OLDER', message: /store migrate/ })
    assert.deepEqual(
      await postgres.query(
        url,
        'SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()',
      ),
      [],
    )
  })

  test('of an earlier version is migrated and keeps its rows', async () => {
    const url = await postgres.newUrl()
    const before = POSTGRES_MIGRATIONS.slice(0, 3)
    for (const { sql } of before) await postgres.query(url, sql)
    await postgres.query(
      url,
      'CREATE TABLE keyspring_migration (version INT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL)',
    )
    for (const [index, step] of before.entries()) {
      const row = [index + 1, step.name, checksumOf(step)]
      await postgres.query(url, 'INSERT INTO keyspring_migration VALUES ($1, $2, $3)', row)
    }
    await postgres.query(
      url,
      `INSERT INTO keyspring_content VALUES ('default', 'movie', '\\x01', NULL, NULL, NULL), ('default', 'gone', NULL, NULL, 7, 'why');
       INSERT INTO keyspring_override VALUES ('default', 'imported', '${kidOf(1)}', 'drm', '\\x02', NULL, '[]');
       INSERT INTO keyspring_kid_override VALUES ('default', 'ruled', '', '', '${kidOf(1)}');
       INSERT INTO keyspring_ledger_period VALUES ('default', 'movie', '', 1, 2,
         '{"tenant":"default","contentId":"movie","keys":[]}')`,
    )
    const store = await openPostgresStore({ url, migrate: true })
    const find = (contentId: string) => store.findContent({ tenant: 'default', contentId }, [])
    const unborn = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }
    const movie = await find('movie')
    assert.deepEqual([movie?.sealedSecret, movie?.life], [Uint8Array.of(1), unborn])
    assert.deepEqual((await find('gone'))?.tombstone, { at: 7, reason: 'why', cause: 'deleted' })
    assert.deepEqual((await find('imported'))?.overrides[0]?.sealed, Uint8Array.of(2))
    const { contents } = await store.searchContents({ tenant: 'default', limit: 9 })
    assert.deepEqual(
      contents.map(({ contentId }) => contentId),
      ['gone', 'imported', 'movie', 'ruled'],
    )
    const [period] = await store.findByContent({ tenant: 'default', contentId: 'movie' }, 1)
    assert.equal(period?.keepUntil, 2 + 7 * 86_400_000)
    await store.close()
  })

  test('is created once when several processes migrate at once', async () => {
    const url = await postgres.newUrl()
    const reports = await Promise.all([1, 2, 3, 4].map(() => migratePostgresStore({ url })))
    assert.equal(reports.flatMap(({ applied }) => applied).length, POSTGRES_SCHEMA_VERSION)
    for (const { to } of reports) assert.equal(to, POSTGRES_SCHEMA_VERSION)
    assert.deepEqual((await migratePostgresStore({ url })).applied, [])
    await (await openPostgresStore({ url })).close()
  })

  test('of a later version is rejected, and the error names both versions and the database', async () => {
    const url = await postgres.newUrl()
    await migratePostgresStore({ url })
    await postgres.query(url, `INSERT INTO keyspring_migration VALUES (${POSTGRES_SCHEMA_VERSION + 1}, 'moons', 'x')`)
    const newer = {
      code: 'ERR_STORE_SCHEMA_NEWER',
      message: /schema \d+ \(moons\), .* up to \d+: run the newer keyspring/,
    }
    await assert.rejects(openPostgresStore({ url }), newer)
    await assert.rejects(openPostgresStore({ url, migrate: true }), newer)
  })

  test('with altered steps is rejected', async () => {
    const url = await postgres.newUrl()
    await migratePostgresStore({ url })
    await postgres.query(url, "UPDATE keyspring_migration SET checksum = 'other' WHERE version = 1")
    await assert.rejects(openPostgresStore({ url, migrate: true }), unavailable(/ran step 1 .* does not know/))
  })
})

describe('a failing PostgreSQL store', () => {
  test('errors distinguish a wrong password, a missing database and a closed port, without the password', async () => {
    const url = await postgres.newUrl()
    const wrong = new Secret(url.reveal().replace(postgres.password, 'hunter2'))
    await assert.rejects(openPostgresStore({ url: wrong }), (error: KeyProviderError) => {
      assert.doesNotMatch(inspect(error, { depth: 9 }), /hunter2/)
      return unavailable(/rejects the user/)(error)
    })
    const missing = new Secret(url.reveal().replace('/postgres?', '/nowhere?'))
    await assert.rejects(openPostgresStore({ url: missing }), unavailable(/database does not exist/))
    await assert.rejects(openPostgresStore({ url: withPort(url, 1) }), unavailable(/nothing listens there/))
  })

  test('rejects a database that can lose confirmed writes', async () => {
    const url = await postgres.newUrl()
    const careless = new Secret(`${url.reveal()}%20-csynchronous_commit%3Doff`)
    await assert.rejects(openPostgresStore({ url: careless, migrate: true }), unavailable(/synchronous_commit to on/))
  })

  test('while it is down, contents in memory are answered, with new kids too; others are an error; it recovers by itself', async () => {
    const store = await openPostgresStore({ url: await postgres.newUrl(), migrate: true })
    const { keys, dataKeys, clock, stale } = keyringOf({ store })
    const known = await issue(keys, [wantedOf(1)], refOf(1))
    await postgres.kill()
    clock.at += 60_000
    assert.deepEqual((await issue(keys, [wantedOf(1)], refOf(1))).keys, known.keys)
    const rotated = await issue(keys, [wantedOf(2)], refOf(1))
    assert.ok(stale.length > 0)
    await assert.rejects(issue(keys, [wantedOf(1)], refOf(2)), unavailable(/does not answer/))
    await postgres.start()
    assert.equal((await issue(keys, [wantedOf(1)], refOf(2))).first, true)
    const later = new StoredContentKeys({
      store,
      dataKeys,
      policy: 'derived',
      now: () => 0,
      randomBytes,
      time: () => 0,
    })
    assert.deepEqual((await issue(later, [wantedOf(1), wantedOf(2)], refOf(1))).keys, [...known.keys, ...rotated.keys])
    await store.close()
  })

  test('calls to a silent database fail within the time limit, calls beyond the queue fail at once, and it recovers', async () => {
    const proxy = await startTcpProxy(postgres.port)
    const url = withPort(await postgres.newUrl(), proxy.port)
    const store = await openPostgresStore({
      url,
      migrate: true,
      connections: 2,
      maxWaiting: 8,
      connectTimeoutMs: 300,
      statementTimeoutMs: 200,
    })
    await store.putSecretIfAbsent(refOf(1), Uint8Array.of(1), [], BIRTH)
    proxy.stall(true)
    const calls = await Promise.allSettled(Array.from({ length: 200 }, () => store.findContent(refOf(1), [])))
    const problems = calls.map((call) => (call.status === 'rejected' ? (call.reason as KeyProviderError).message : ''))
    assert.ok(problems.every((problem) => problem !== ''))
    assert.ok(problems.filter((problem) => /8 calls wait for a connection already/.test(problem)).length >= 180)
    proxy.stall(false)
    assert.deepEqual((await store.findContent(refOf(1), []))?.sealedSecret, Uint8Array.of(1))
    await store.close()
    await proxy.close()
  })

  test('the server ends a statement that takes too long', async () => {
    const pool = await openPostgresPool({ url: await postgres.newUrl(), statementTimeoutMs: 100 })
    await assert.rejects(
      pool.run({ name: 'sleep', text: 'SELECT pg_sleep(5)' }, []),
      unavailable(/longer than postgres.statementTimeoutMs/),
    )
    assert.equal((await pool.run({ name: 'one', text: 'SELECT 1' }, [])).count, 1)
    await pool.close()
  })

  test('retries a transaction that conflicts with others until it succeeds', async () => {
    const url = await postgres.newUrl()
    const pool = await openPostgresPool({ url })
    await pool.run({ name: 'make', text: 'CREATE TABLE counter (id INT PRIMARY KEY, value INT NOT NULL)' }, [])
    await pool.run({ name: 'fill', text: 'INSERT INTO counter VALUES (1, 0), (2, 0)' }, [])
    const add = { name: 'add', text: 'UPDATE counter SET value = value + 1 WHERE id = $1' }
    // Half of them in the other order: they deadlock.
    await Promise.all(
      Array.from({ length: 6 }, (_, number) =>
        pool.transaction(async (run) => {
          for (const id of number % 2 === 0 ? [1, 2] : [2, 1]) await run(add, [id])
        }),
      ),
    )
    const { rows } = await pool.run({ name: 'sum', text: 'SELECT value FROM counter ORDER BY id' }, [])
    assert.deepEqual(rows, [{ value: 6 }, { value: 6 }])
    await pool.close()
  })

  test('counts every report when nodes report the same periods in different orders', async () => {
    const url = await postgres.newUrl()
    const nodes = await Promise.all([1, 2, 3].map(() => openPostgresStore({ url, migrate: true })))
    const periods = Array.from({ length: 20 }, (_, number) => recordOf({ periodId: `p${number}` }))
    await Promise.all(
      nodes.flatMap((node, number) => [1, 2].map(() => node.record(number === 1 ? periods.toReversed() : periods))),
    )
    const found = (await nodes[0]?.findByContent({ tenant: 'default', contentId: 'live' }, 100)) ?? []
    assert.deepEqual([found.length, new Set(found.map(({ requests }) => requests))], [20, new Set([6])])
    await Promise.all(nodes.map((node) => node.close()))
  })

  test('an override written while its content is destroyed is removed with it', async () => {
    const url = await postgres.newUrl()
    const store = await openPostgresStore({ url, migrate: true })
    const override = { contentKeyClass: 'drm', kid: kidOf(1), sealed: randomBytes(8), pssh: {} } as const
    for (let number = 0; number < 20; number++) {
      await Promise.allSettled([
        store.putOverridesIfAbsent(refOf(number), [override], BIRTH),
        store.putTombstone(refOf(number), { at: 1, reason: 'withdrawn', cause: 'deleted' }),
        store.replaceOverride(refOf(number), { ...override, kid: kidOf(2) }, BIRTH),
      ])
    }
    assert.deepEqual(await postgres.query(url, 'SELECT * FROM keyspring_override'), [])
    await store.close()
  })

  test('rejects a credential sealed with a removed data key', async () => {
    const store = await openPostgresStore({ url: await postgres.newUrl(), migrate: true })
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

  test('rows swapped in the database do not open', async () => {
    const url = await postgres.newUrl()
    const store = await openPostgresStore({ url, migrate: true })
    const { keys, dataKeys } = keyringOf({ store })
    await issue(keys, [wantedOf(1)], refOf(1))
    await issue(keys, [wantedOf(1)], refOf(2))
    await postgres.query(
      url,
      `UPDATE keyspring_content SET sealed_secret =
        (SELECT sealed_secret FROM keyspring_content WHERE content_id = 'c2') WHERE content_id = 'c1'`,
    )
    const later = new StoredContentKeys({
      store,
      dataKeys,
      policy: 'derived',
      now: () => 0,
      randomBytes,
      time: () => 0,
    })
    await assert.rejects(issue(later, [wantedOf(1)], refOf(1)), { code: 'ERR_SEAL_BROKEN' })
    await store.close()
  })
})

test('4 processes that request the same new contents 32 times at once all get the same keys', async () => {
  const url = await postgres.newUrl()
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-races-'))
  try {
    const rootKey = join(directory, 'root.key')
    await openLocalRootKey({ file: rootKey, create: true })
    await migratePostgresStore({ url })
    const { requests, differing } = await raceFirstRequests(url, rootKey, 4, 6)
    assert.deepEqual({ requests, differing }, { requests: 4 * 32 * 6, differing: 0 })
  } finally {
    rmSync(directory, { recursive: true })
  }
})

describe('replicas', () => {
  // Another schema stands for a replica that is behind: what it has is its own.
  test('are read first, and the primary for contents that they lack', async () => {
    const [url, behind] = [await postgres.newUrl(), await postgres.newUrl()]
    const replica = await openPostgresStore({ url: behind, migrate: true })
    await replica.putSecretIfAbsent(refOf(1), Uint8Array.of(9), [], BIRTH)
    const store = await openPostgresStore({ url, migrate: true, replicas: [behind] })
    await store.putSecretIfAbsent(refOf(1), Uint8Array.of(1), [], BIRTH)
    assert.deepEqual(
      (await store.putSecretIfAbsent(refOf(2), Uint8Array.of(2), [], BIRTH)).sealedSecret,
      Uint8Array.of(2),
    )
    assert.deepEqual((await store.findContent(refOf(1), []))?.sealedSecret, Uint8Array.of(9))
    assert.deepEqual((await store.findContent(refOf(2), []))?.sealedSecret, Uint8Array.of(2))
    assert.equal(await store.findContent(refOf(3), []), undefined)
    await Promise.all([store.close(), replica.close()])
  })

  test('that do not answer are skipped with a warning', async () => {
    const url = await postgres.newUrl()
    const away: KeyProviderError[] = []
    const replicas = [withPort(url, 1)]
    const store = await openPostgresStore({ url, migrate: true, replicas, onReplicaAway: (error) => away.push(error) })
    await store.putSecretIfAbsent(refOf(1), Uint8Array.of(1), [], BIRTH)
    assert.deepEqual((await store.findContent(refOf(1), []))?.sealedSecret, Uint8Array.of(1))
    assert.equal(away.length, 1)
    await store.close()
  })
})
