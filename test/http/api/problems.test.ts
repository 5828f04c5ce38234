import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { apiRoutes } from '../../../src/http/routes/api.ts'
import { callOf, handlerFor } from '../calls.ts'
import { type Asking, apiWorld, KID } from './worlds.ts'

const resolve: Asking = { json: { kids: [KID] } }

const problems: readonly [title: string, method: string, path: string, asking: Asking, status: number, code: string][] =
  [
    ['nothing at a path', 'GET', '/api/nothing', {}, 404, 'ERR_ROUTE_NOT_FOUND'],
    ['nothing at the root', 'GET', '/api', {}, 404, 'ERR_ROUTE_NOT_FOUND'],
    ['a path that leads out of the API, if it was resolved', 'GET', '/api/../livez', {}, 404, 'ERR_ROUTE_NOT_FOUND'],
    ['another method', 'PATCH', '/api/contents', {}, 405, 'ERR_METHOD_NOT_ALLOWED'],
    ['a method that is none', 'TRACE', '/api/contents', {}, 405, 'ERR_METHOD_NOT_ALLOWED'],
    ['a preflight', 'OPTIONS', '/api/contents', {}, 405, 'ERR_METHOD_NOT_ALLOWED'],
    ['another method of the description', 'POST', '/openapi.json', {}, 405, 'ERR_METHOD_NOT_ALLOWED'],
    [
      'a body that is too large',
      'POST',
      '/api/resolve',
      { ...resolve, call: { bytes: Buffer.alloc(1024 * 1024 + 1) } },
      413,
      'ERR_BODY_TOO_LARGE',
    ],
    ['no media type', 'POST', '/api/resolve', { body: '{}' }, 415, 'ERR_MEDIA_TYPE_UNSUPPORTED'],
    [
      'a body that is no JSON',
      'POST',
      '/api/resolve',
      { body: '{"kids', headers: { 'content-type': 'application/json' } },
      400,
      'ERR_API_REQUEST_INVALID',
    ],
    ['a body where none belongs', 'GET', '/api/contents', { body: 'x' }, 400, 'ERR_API_REQUEST_INVALID'],
    ['a cursor of our own making', 'GET', '/api/contents?cursor=abc', {}, 400, 'ERR_API_REQUEST_INVALID'],
    ['a parameter twice', 'GET', '/api/contents?limit=1&limit=2', {}, 400, 'ERR_API_REQUEST_INVALID'],
    ['a foreign Host', 'GET', '/api/contents', { headers: { host: 'evil.example' } }, 403, 'ERR_REQUEST_FORWARDED'],
  ]

describe('a problem of RFC 9457', () => {
  for (const [title, method, path, asking, status, code] of problems) {
    test(`answers ${title}`, async () => {
      const { ask } = apiWorld()
      const reply = await ask(method, path, asking)
      assert.equal(reply.headers['content-type'], 'application/problem+json')
      assert.equal(reply.headers['cache-control'], 'no-store')
      const { detail, title: words, problems: found, ...rest } = reply.json
      assert.equal(reply.status, status, reply.text)
      assert.deepEqual(rest, { type: `/api/docs#${code}`, status, code, requestId: 'test-1' })
      assert.ok(String(detail).length > 5 && String(words).length > 5)
      if (code === 'ERR_API_REQUEST_INVALID' && found !== undefined) assert.ok(Array.isArray(found))
    })
  }

  test('405 says which methods there are', async () => {
    const { ask } = apiWorld()
    assert.equal((await ask('PATCH', '/api/contents/movie/hold')).headers.allow, 'PUT, DELETE')
    assert.equal((await ask('PATCH', '/api/contents/movie')).headers.allow, 'GET, HEAD, DELETE')
  })

  test('tells every problem of path, query and body together', async () => {
    const { ask } = apiWorld()
    const { json } = await ask('POST', '/api/contents/a.b/kid-overrides?why=1', {
      json: { kid: 'no', periodIndex: -1, intendedTrackType: 7, kids: [] },
    })
    assert.deepEqual((json.problems as { path: string }[]).map(({ path }) => path).sort(), [
      'body.intendedTrackType',
      'body.kid',
      'body.kids',
      'body.periodIndex',
      'path.content',
      'query.why',
    ])
  })

  test('never quotes what was given', async () => {
    const { ask } = apiWorld()
    const secret = 'deadbeefdeadbeefdeadbeefdeadbeef'
    const askings: readonly [string, string, Asking][] = [
      [
        'POST',
        '/api/contents/movie/overrides',
        { json: { kid: secret, key: `${secret}00`, iv: secret, [secret]: secret } },
      ],
      [
        'POST',
        '/api/contents/movie/overrides',
        { json: { kid: KID, key: secret, contentKeyClass: secret, force: secret } },
      ],
      [
        'POST',
        '/api/contents/movie/overrides',
        { body: `{"key":"${secret}",}`, headers: { 'content-type': 'application/json' } },
      ],
      ['POST', '/api/resolve', { json: { kids: [secret], encryption: { format: secret, certificate: [secret] } } }],
      ['POST', '/api/resolve', { json: secret }],
      ['POST', '/api/keys/import?format=json', { body: secret, headers: { 'content-type': 'text/csv' } }],
      ['POST', '/api/keys/export', { json: { contentId: 'a', clear: secret, recipients: [secret], format: secret } }],
      ['GET', `/api/kids/${secret}?${secret}=${secret}`, {}],
      ['GET', `/api/contents?limit=${secret}`, {}],
      ['GET', `/api/retention?${secret}`, {}],
    ]
    for (const [method, path, asking] of askings) {
      const { status, text } = await ask(method, path, asking)
      assert.ok(status >= 400 && status < 500, `${path}: ${status}`)
      assert.ok(!text.toLowerCase().includes(secret), `${path}: ${text}`)
    }
  })

  test('tells nothing of what went wrong inside', async () => {
    const { ask, store, observed } = apiWorld()
    const cause = new Error('password authentication failed for user "hunter2"')
    Object.assign(store, { searchContents: () => Promise.reject(cause) })
    const { status, json, text } = await ask('GET', '/api/contents')
    assert.deepEqual(
      { status, code: json.code, detail: json.detail },
      { status: 500, code: 'INTERNAL_ERROR', detail: 'internal error' },
    )
    assert.doesNotMatch(text, /hunter2/)
    assert.equal(observed.at(-1), cause)
  })

  test('503 says when to try again', async () => {
    const { ask, store } = apiWorld()
    Object.assign(store, {
      searchContents: () => Promise.reject(new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store at db is away')),
    })
    const { status, headers, json } = await ask('GET', '/api/contents')
    assert.deepEqual(
      { status, after: headers['retry-after'], code: json.code },
      { status: 503, after: '2', code: 'ERR_STORE_UNAVAILABLE' },
    )
    assert.doesNotMatch(String(json.detail), /db/)
  })

  test('who is not known is 401 for every path, with what there is to prove it by', async () => {
    const { AuthenticationError } = await import('../../../src/auth/failure.ts')
    const { world } = apiWorld()
    const handler = handlerFor({
      routes: apiRoutes({
        world,
        version: '9.9.9',
        identify: () => {
          throw new AuthenticationError('missing', undefined, ['Bearer', 'Basic realm="keyspring"'])
        },
      }),
      checks: [],
      observe: () => {},
      now: () => 0,
    })
    for (const path of ['/api/contents', '/api/nothing', '/openapi.json', '/api/docs']) {
      const { status, headers } = await handler(callOf('GET', path))
      assert.equal(status, 401, path)
      assert.equal(headers['content-type'], 'application/problem+json')
      assert.deepEqual(headers['www-authenticate'], ['Bearer', 'Basic realm="keyspring"'])
    }
  })
})

test('reports the first fifty of fifteen thousand problems', async () => {
  const { ask } = apiWorld()
  const members = Object.fromEntries(Array.from({ length: 15_000 }, (_, i) => [`m${i}`, 1]))
  const { status, json, text } = await ask('POST', '/api/resolve', { json: members })
  assert.equal(status, 400)
  const problems = json.problems as { path: string; problem: string }[]
  assert.equal(problems.length, 51)
  assert.deepEqual(problems.at(-1), { path: 'request', problem: 'and 14951 problems more' })
  assert.ok(text.length < 10_000)
})

test('a contentId in a path has no more characters than one anywhere', async () => {
  const { ask } = apiWorld()
  const long = 'x'.repeat(257)
  const key = { kid: KID, key: '0'.repeat(32) }
  for (const segment of [long, `~${Buffer.from(`${'x'.repeat(256)}/`).toString('base64url')}`]) {
    const { status, json } = await ask('POST', `/api/contents/${segment}/overrides`, { json: key })
    assert.deepEqual([status, json.code], [400, 'ERR_API_REQUEST_INVALID'])
  }
  assert.equal((await ask('POST', `/api/contents/${'x'.repeat(256)}/overrides`, { json: key })).status, 200)
})
