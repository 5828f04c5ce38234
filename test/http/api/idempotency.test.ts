import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { openSqliteStore } from '../../../src/adapters/store/sqlite/store.ts'
import { apiWorld, KID } from './worlds.ts'

const directory = mkdtempSync(join(tmpdir(), 'keyspring-idempotency-'))
after(() => rmSync(directory, { recursive: true, force: true }))

const HOLD = '/api/contents/movie/hold'
const once = (key: string) => ({ headers: { 'idempotency-key': key }, json: { reason: 'case 17' } })

describe('a write with an idempotency key', () => {
  test('is done once, and answered alike', async () => {
    const { ask, issue, audit } = apiWorld()
    await issue('movie')
    const first = await ask('PUT', HOLD, once('a'))
    const again = await ask('PUT', HOLD, once('a'))
    assert.deepEqual([again.status, again.text], [first.status, first.text])
    assert.equal(first.headers['idempotency-replayed'], undefined)
    assert.equal(again.headers['idempotency-replayed'], 'true')
    assert.equal(audit.filter(({ outcome }) => outcome === 'begun').length, 1)
  })

  test('is rejected with another body, path or query', async () => {
    const { ask, issue } = apiWorld()
    await issue('movie')
    await ask('PUT', HOLD, once('a'))
    const others = [
      await ask('PUT', HOLD, { ...once('a'), json: { reason: 'another' } }),
      await ask('DELETE', `${HOLD}?reason=x`, { headers: { 'idempotency-key': 'a' } }),
      await ask('POST', '/api/sweep', { headers: { 'idempotency-key': 'a' } }),
    ]
    for (const { status, json } of others) {
      assert.deepEqual({ status, code: json.code }, { status: 409, code: 'ERR_IDEMPOTENCY_CONFLICT' })
    }
  })

  test('is not the same write when its body is of another media type', async () => {
    const { ask } = apiWorld()
    const headersOf = (media: string) => ({ 'idempotency-key': 'a', 'content-type': media })
    const row = { contentId: 'movie', kid: KID, key: '0'.repeat(32) }
    const stored = { body: JSON.stringify([row]), headers: headersOf('application/json') }
    assert.equal((await ask('POST', '/api/keys/import', stored)).status, 200)
    assert.equal((await ask('POST', '/api/keys/import', stored)).headers['idempotency-replayed'], 'true')
    const other = await ask('POST', '/api/keys/import', { ...stored, headers: headersOf('text/csv') })
    assert.equal(other.json.code, 'ERR_IDEMPOTENCY_CONFLICT')
  })

  test('of many at once is done once: the others get the answer, or 409', async () => {
    const { ask, issue, audit } = apiWorld()
    await issue('movie')
    const replies = await Promise.all(Array.from({ length: 20 }, () => ask('PUT', HOLD, once('a'))))
    for (const { status, json } of replies) assert.ok(status === 200 || json.code === 'ERR_IDEMPOTENCY_CONFLICT')
    assert.ok(replies.some(({ status }) => status === 200))
    assert.equal(audit.filter(({ outcome }) => outcome === 'begun').length, 1)
  })

  test('that failed is forgotten, and can be tried again', async () => {
    const { ask, issue } = apiWorld()
    assert.equal((await ask('PUT', HOLD, once('a'))).status, 404)
    await issue('movie')
    assert.equal((await ask('PUT', HOLD, once('a'))).status, 200)
  })

  test('whose process died can be tried again after ten minutes', async () => {
    const { ask, issue, store, advance, world } = apiWorld()
    await issue('movie')
    const { endWrite } = store
    Object.assign(store, { endWrite: () => new Promise(() => undefined) })
    void ask('PUT', HOLD, once('a'))
    await new Promise((resolve) => setImmediate(resolve))
    Object.assign(store, { endWrite })
    assert.equal((await ask('PUT', HOLD, once('a'))).status, 409)
    advance(11 / 1_440)
    assert.equal((await ask('PUT', HOLD, once('a'))).status, 200)
    assert.ok(world.management.now() > 0)
  })

  test('is another one a day later', async () => {
    const { ask, issue, advance } = apiWorld()
    await issue('movie')
    await ask('PUT', HOLD, once('a'))
    advance(1.1)
    assert.equal((await ask('PUT', HOLD, once('a'))).headers['idempotency-replayed'], undefined)
  })

  test('is remembered over a restart', async () => {
    const file = join(directory, 'keyspring.db')
    const before = await openSqliteStore({ file, create: true })
    const { ask } = apiWorld({ ...memoryStore(), ...before })
    const json = { keys: [{ contentId: 'movie', kid: KID, key: '0'.repeat(32) }] }
    const first = await ask('POST', '/api/keys/import', { ...once('a'), json })
    assert.equal(first.status, 200, first.text)
    await before.close()
    const store = await openSqliteStore({ file, create: false })
    const again = await apiWorld({ ...memoryStore(), ...store }).ask('POST', '/api/keys/import', { ...once('a'), json })
    assert.equal(again.headers['idempotency-replayed'], 'true')
    assert.equal(again.text, first.text)
    await store.close()
  })

  test('is rejected where the key could not be one', async () => {
    const { ask } = apiWorld()
    for (const key of ['', 'a b', 'x'.repeat(129), 'é']) {
      const { status, json } = await ask('PUT', HOLD, once(key))
      assert.deepEqual({ status, code: json.code }, { status: 400, code: 'ERR_API_REQUEST_INVALID' }, key)
    }
  })

  test('that gives out keys is never remembered', async () => {
    const { ask, issue, store } = apiWorld()
    await issue('movie')
    const begun: string[] = []
    Object.assign(store, { beginWrite: async ({ key }: { key: string }) => void begun.push(key) })
    const headers = { 'idempotency-key': 'a' }
    assert.equal((await ask('POST', '/api/resolve', { headers, json: { kids: [KID] } })).status, 200)
    assert.equal(
      (await ask('POST', '/api/keys/export', { headers, json: { contentId: 'movie', clear: true } })).status,
      200,
    )
    assert.deepEqual(begun, [])
  })
})
