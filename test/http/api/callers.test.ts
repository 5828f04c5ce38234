import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SCOPES, type Scope } from '../../../src/auth/clients/client.ts'
import { OPERATIONS } from '../../../src/http/api/operations/operations.ts'
import { apiWorld, KID, OTHER_KID, withScopes } from './worlds.ts'

const pathOf = (path: string) => path.replace('{content}', 'movie').replace('{kid}', KID)

describe('scopes', () => {
  for (const { id, method, path, scope } of OPERATIONS) {
    test(`${id} requires ${scope}, and no other scope will do`, async () => {
      const { ask } = apiWorld()
      const enough: readonly Scope[] = scope === 'keys:read' || scope === 'keys:write' ? [scope, 'admin'] : [scope]
      for (const one of SCOPES) {
        const { status, json } = await ask(method.toUpperCase(), pathOf(path), { as: withScopes(one) })
        assert.equal(status === 403, !enough.includes(one), `${one}: ${status}`)
        if (status === 403) assert.equal(json.code, 'ERR_FORBIDDEN')
      }
    })
  }
})

describe('clients of some contents', () => {
  const as = { contentIds: ['live-*'] }

  test('see only those in lists and of kids', async () => {
    const { ask, issue } = apiWorld()
    await issue('live-1')
    await issue('movie')
    const { json } = await ask('GET', '/api/contents', { as })
    assert.deepEqual(
      (json.contents as { contentId: string }[]).map(({ contentId }) => contentId),
      ['live-1'],
    )
    const found = await ask('GET', `/api/kids/${KID}`, { as })
    assert.deepEqual(
      (found.json.contents as { contentId: string }[]).map(({ contentId }) => contentId),
      ['live-1'],
    )
  })

  test('learn nothing of others from the end or the size of a page', async () => {
    const { ask, issue } = apiWorld()
    for (const contentId of ['live-1', 'secret-film', 'live-2', 'secret-show']) await issue(contentId)
    const listed: string[] = []
    let cursor = ''
    do {
      const { json } = await ask('GET', `/api/contents?limit=1${cursor}`, { as })
      const contents = json.contents as { contentId: string }[]
      assert.equal(contents.length, 1)
      listed.push(...contents.map(({ contentId }) => contentId))
      const next = String(json.next ?? '')
      assert.ok(!Buffer.from(next, 'base64url').toString('latin1').includes('secret'))
      cursor = next && `&cursor=${next}`
    } while (cursor !== '')
    assert.deepEqual(listed, ['live-1', 'live-2'])
    const guess = await ask('GET', '/api/contents?contains=secret-film&limit=1', { as })
    const never = await ask('GET', '/api/contents?contains=never&limit=1', { as })
    assert.deepEqual(guess.json, never.json)
  })

  test('get the key of their content if another has the same kid, and not the name of the other', async () => {
    const { ask, issue } = apiWorld()
    const [key] = await issue('live-1')
    await issue('secret-film', [KID, OTHER_KID])
    const { json, text } = await ask('POST', '/api/resolve', { as, json: { kids: [KID, OTHER_KID] } })
    assert.deepEqual(
      (json.keys as { key: string }[]).map((one) => one.key),
      [key?.toString('base64')],
    )
    const codes = (json.errors as { kid: string; code: string }[]).map((one) => [one.kid, one.code])
    assert.deepEqual(codes, [[OTHER_KID, 'ERR_KEY_NOT_FOUND']])
    assert.ok(!text.includes('secret'))
  })

  test('get the same answer for a kid of another content as for one that never existed', async () => {
    const { ask, issue } = apiWorld()
    const never = await ask('GET', `/api/kids/${KID}`, { as })
    await issue('movie')
    const hidden = await ask('GET', `/api/kids/${KID}`, { as })
    assert.deepEqual([hidden.status, hidden.text], [never.status, never.text])
  })

  for (const { id, method, path } of OPERATIONS.filter((operation) => operation.path.includes('{content}'))) {
    test(`${id} of another content is 403`, async () => {
      const { ask, issue } = apiWorld()
      await issue('movie')
      const needed = { listPeriods: '', deleteContent: '?reason=x', releaseContent: '?reason=x' }[id] ?? ''
      const bodies: Record<string, object> = {
        holdContent: { reason: 'x' },
        addOverride: { kid: KID, key: '0'.repeat(32) },
        addKidOverride: { kid: KID },
      }
      const { status } = await ask(method.toUpperCase(), `${pathOf(path)}${needed}`, { as, json: bodies[id] })
      assert.equal(status, 403)
    })
  }

  test('import, export, resolve and retention keep to them', async () => {
    const { ask, issue, store } = apiWorld()
    await issue('movie')
    const row = { contentId: 'film', kid: KID, key: '0'.repeat(32) }
    assert.equal((await ask('POST', '/api/keys/import', { as, json: [row] })).status, 403)
    assert.equal(await store.findContent({ tenant: 'default', contentId: 'film' }, []), undefined)
    const taken = await ask('POST', '/api/keys/export', { as, json: { contentId: 'movie', clear: true } })
    assert.equal(taken.status, 403)
    const resolved = await ask('POST', '/api/resolve', { as, json: { kids: [KID] } })
    assert.deepEqual(resolved.json.keys, [])
    assert.equal((await ask('GET', '/api/retention?contentId=movie', { as })).status, 403)
  })
})

describe('tenants', () => {
  const as = { tenant: 'other' }

  test('take no cursor of one another', async () => {
    const { ask, issue } = apiWorld()
    for (const contentId of ['a', 'b']) await issue(contentId)
    const { json } = await ask('GET', '/api/contents?limit=1')
    assert.equal((await ask('GET', `/api/contents?limit=1&cursor=${json.next}`)).status, 200)
    assert.equal((await ask('GET', `/api/contents?limit=1&cursor=${json.next}`, { as })).status, 400)
  })

  test("another tenant's content is a 404 like one that never was", async () => {
    const { ask, issue } = apiWorld()
    await issue('movie')
    const theirs = await ask('GET', '/api/contents/movie', { as })
    const { ask: askEmpty } = apiWorld()
    assert.deepEqual([theirs.status, theirs.text], [404, (await askEmpty('GET', '/api/contents/movie', { as })).text])
    assert.deepEqual((await ask('GET', '/api/contents', { as })).json.contents, [])
    assert.equal((await ask('GET', `/api/kids/${KID}`, { as })).status, 404)
    assert.deepEqual((await ask('POST', '/api/resolve', { as, json: { kids: [KID] } })).json.keys, [])
    assert.equal((await ask('POST', '/api/keys/export', { as, json: { contentId: 'movie', clear: true } })).status, 404)
    assert.equal((await ask('DELETE', '/api/contents/movie?reason=x', { as })).status, 404)
  })

  test('the same key of idempotency of two tenants and of two clients is not the same', async () => {
    const { ask, issue } = apiWorld()
    await issue('movie')
    const headers = { 'idempotency-key': 'one' }
    const json = { reason: 'case 17' }
    assert.equal((await ask('PUT', '/api/contents/movie/hold', { headers, json })).status, 200)
    assert.equal((await ask('PUT', '/api/contents/movie/hold', { as, headers, json })).status, 404)
    const second = await ask('PUT', '/api/contents/movie/hold', { as: { name: 'second' }, headers, json })
    assert.equal(second.headers['idempotency-replayed'], undefined)
  })
})

test('rejects a page of another origin, whatever it asks for', async () => {
  const { ask } = apiWorld()
  for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }, { origin: 'null' }]) {
    const { status, json } = await ask('POST', '/api/sweep', { headers })
    assert.deepEqual({ status, code: json.code }, { status: 403, code: 'ERR_REQUEST_FORWARDED' })
  }
  const own = { 'sec-fetch-site': 'same-origin', origin: 'http://127.0.0.1:8080' }
  assert.equal((await ask('GET', '/api/contents', { headers: own })).status, 200)
})
