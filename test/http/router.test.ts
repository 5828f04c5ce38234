import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KeyProviderError } from '../../src/core/errors.ts'
import { textReply } from '../../src/http/errors.ts'
import type { Route } from '../../src/http/route.ts'
import { callOf, handlerFor } from './calls.ts'

/** A handler of a route at `/a/{x}/{y}` and one at `/a/b/c`, which answer what stood for `{…}`. */
function handlerOf(more: Partial<Route> = {}) {
  const failures: unknown[] = []
  const route: Route = {
    name: 'key',
    path: '/a/{x}/{y}',
    method: 'GET',
    handle: (_call, segments) => textReply(200, JSON.stringify(segments)),
    ...more,
  }
  const handler = handlerFor({
    routes: [route, { ...route, path: '/a/b/c' }],
    checks: [],
    observe: (_call, _route, _reply, failure) => failures.push(failure),
    now: () => 0,
  })
  return { failures, get: async (path: string, method = 'GET') => handler(callOf(method, path)) }
}

test('a path with {} is served with any text in its place, and the route gets the text', async () => {
  const { get } = handlerOf()
  assert.equal((await get('/a/1/2')).body, '["1","2"]')
  assert.equal((await get('/a/1/2/?q=/3')).body, '["1","2"]')
  assert.equal((await get('http://127.0.0.1/a/%2F/~Li4')).body, '["%2F","~Li4"]')
  assert.equal((await get('/a//')).status, 404)
})

test('a path that stands in the table as it is asked for goes before one with {}', async () => {
  const { get } = handlerOf()
  assert.equal((await get('/a/b/c')).body, '[]')
  assert.equal((await get('/a/{x}/{y}')).body, '["{x}","{y}"]')
})

test('a path with more or fewer segments is not served', async () => {
  const { get } = handlerOf()
  for (const path of ['/a', '/a/1', '/a/1/2/3', '/b/1/2', '/A/1/2', '//a/1/2'])
    assert.equal((await get(path)).status, 404, path)
})

test('a preflight is answered where the route has one, and else is a method that is not served', async () => {
  assert.equal((await handlerOf().get('/a/1/2', 'OPTIONS')).headers.allow, 'GET, HEAD')
  const { get } = handlerOf({ preflight: () => textReply(200, 'yes') })
  assert.equal((await get('/a/1/2', 'OPTIONS')).body, 'yes')
  assert.equal((await get('/a/1/2', 'PUT')).headers.allow, 'GET, HEAD, OPTIONS')
})

test('a refusal in the words of a protocol is observed like any other', async () => {
  const failure = new KeyProviderError('ERR_FORBIDDEN', 'test')
  const { get, failures } = handlerOf({ handle: () => ({ ...textReply(200, 'no'), failure }) })
  assert.equal((await get('/a/1/2')).status, 200)
  assert.deepEqual(failures, [failure])
})

describe('one path that several routes serve', () => {
  const failures: unknown[] = []
  const serve = (path: string, method: Route['method']): Route => ({
    name: 'key',
    path,
    method,
    handle: () => textReply(200, `${method} ${path}`),
  })
  const methods = ['GET', 'POST', 'PUT', 'DELETE'] as const
  const handler = handlerFor({
    routes: ['/a/{x}', '/a/b'].flatMap((path) => methods.map((method) => serve(path, method))),
    checks: [],
    observe: (_call, _route, _reply, failure) => failures.push(failure),
    now: () => 0,
  })

  for (const path of ['/a/1', '/a/b']) {
    test(`${path} answers each method by its own`, async () => {
      for (const method of methods) {
        assert.match(String((await handler(callOf(method, path))).body), new RegExp(`^${method} `))
        assert.match(String((await handler(callOf(method, `${path}/?q`))).body), new RegExp(`^${method} `))
      }
      assert.match(String((await handler(callOf('HEAD', path))).body), /^GET /)
    })

    test(`${path} rejects another method and names every one it takes`, async () => {
      const { status, headers } = await handler(callOf('PATCH', path))
      assert.deepEqual([status, headers.allow], [405, 'GET, HEAD, POST, PUT, DELETE'])
    })
  }
})

describe('a path is compared as it was sent', () => {
  const { get } = handlerOf({ path: '/api/keys/{kid}', name: 'api' })

  for (const path of [
    '/api/x/../keys/1',
    '/api/./keys/1',
    '/api/%2e%2e/api/keys/1',
    '/api/%2E%2E/keys/1',
    '/api/x\\..\\keys/1',
    '/api\\keys\\1',
    '/api//keys/1',
    '/api/%6beys/1',
    '/api/keys%2F1',
    '/API/keys/1',
  ]) {
    test(`${path} is not served, so a rule of a proxy about /api/keys cannot be walked around`, async () => {
      assert.equal((await get(path)).status, 404)
    })
  }

  test('and a segment is passed on as it was sent', async () => {
    assert.equal((await get('/api/keys/%2e%2e')).body, '["%2e%2e"]')
  })

  test('with more segments than any route has, in little time', async () => {
    const startedAt = process.cpuUsage()
    assert.equal((await get(`/api/keys${'/x'.repeat(8_000)}`)).status, 404)
    assert.ok(process.cpuUsage(startedAt).user < 100_000)
  })
})
