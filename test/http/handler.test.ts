import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { AuthenticationError } from '../../src/auth/failure.ts'
import type { KeyProviderError } from '../../src/core/errors.ts'
import { textReply } from '../../src/http/errors.ts'
import { type HandlerOptions, RequestHandler } from '../../src/http/handler.ts'
import { ProxyTrust } from '../../src/http/listener/proxy-trust.ts'
import { type IncomingRequest, RequestAbortedError } from '../../src/http/request.ts'
import type { Route } from '../../src/http/route.ts'
import { callOf } from './calls.ts'

const MIB = 1024 * 1024

/** A handler of one route at POST /a, which reads the body and answers its length. */
function serving(route: Partial<Route> = {}, options: Partial<HandlerOptions> = {}) {
  const errors: unknown[] = []
  const handler = new RequestHandler({
    routes: [
      {
        name: 'copyProtection',
        path: '/a',
        method: 'POST',
        handle: async (call) => textReply(200, String((await call.body()).length)),
        ...route,
      },
    ],
    checks: [],
    proxies: new ProxyTrust([]),
    maxBodyBytes: MIB,
    observe: (_call, _route, _reply, error) => errors.push((error as KeyProviderError | undefined)?.code),
    now: () => 0,
    ...options,
  })
  return { handler, errors }
}

/** A request whose body must not be read. */
const unread = (path: string, method = 'POST', headers: Record<string, string> = {}): IncomingRequest => ({
  ...callOf(method, path, { headers }),
  readBody: () => assert.fail('the body was read'),
})

/** A request whose body arrives when `send` is called. */
function slow(path: string, bytes: number) {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const request: IncomingRequest = {
    ...callOf('POST', path),
    readBody: async (_maxBytes, onBytes) => {
      onBytes(bytes)
      return promise
    },
  }
  return { request, send: () => resolve(Buffer.alloc(bytes)), leave: () => reject(new RequestAbortedError('gone')) }
}

describe('a request is judged from its head, and its body is not read', () => {
  for (const [what, request, status] of [
    ['a path that is not served', unread('/nothing'), 404],
    ['a method that is not served', unread('/a', 'PUT'), 405],
    ['an encoding', unread('/a', 'POST', { 'content-encoding': 'gzip' }), 415],
    ['a declared length above the limit', unread('/a', 'POST', { 'content-length': String(MIB + 1) }), 413],
  ] as const) {
    test(`${what}: ${status}`, async () => {
      assert.equal((await serving().handler.handle(request)).status, status)
    })
  }

  test('credentials in the headers that are wrong: 401', async () => {
    const { handler } = serving({
      handle: async (call) => {
        if (call.headers.authorization === undefined) throw new AuthenticationError('missing')
        return textReply(200, String((await call.body()).length))
      },
    })
    assert.equal((await handler.handle(unread('/a'))).status, 401)
  })

  test('too many requests under way: 503', async () => {
    const { handler } = serving({}, { maxConcurrent: 1 })
    const { request, send } = slow('/a', 1)
    const first = handler.handle(request)
    assert.equal(handler.underWay, 1)
    assert.equal((await handler.handle(unread('/a'))).status, 503)
    send()
    assert.equal((await first).status, 200)
    assert.equal(handler.underWay, 0)
  })
})

test('the time of the server does not include the time of a slow sender', async () => {
  let clock = 0
  const durations: number[] = []
  const { handler } = serving(
    {
      handle: async (call) => {
        clock += 2
        await call.body()
        clock += 3
        return textReply(200, '')
      },
    },
    { now: () => clock, observe: (_call, _route, _reply, _error, ms) => durations.push(ms) },
  )
  const { request, send } = slow('/a', 1)
  const reply = handler.handle(request)
  clock += 1_000
  send()
  await reply
  assert.deepEqual(durations, [5])
})

test('a route may accept smaller bodies than the server does', async () => {
  const { handler } = serving({ maxBodyBytes: 16 })
  assert.equal((await handler.handle(callOf('POST', '/a', { bytes: Buffer.alloc(16) }))).status, 200)
  assert.equal((await handler.handle(callOf('POST', '/a', { bytes: Buffer.alloc(17) }))).status, 413)
})

test('answers 415 with Accept-Encoding for an encoded body, and accepts identity', async () => {
  const { handler } = serving()
  const send = (encoding: string) => handler.handle(callOf('POST', '/a', { headers: { 'content-encoding': encoding } }))
  const { status, headers } = await send('gzip')
  assert.deepEqual([status, headers['accept-encoding']], [415, 'identity'])
  assert.equal((await send('identity')).status, 200)
})

describe('the bodies in flight', () => {
  test('together use at most 32 MiB: beyond it a request is answered 503, and the memory is given back', async () => {
    const { handler, errors } = serving()
    const bodies = Array.from({ length: 32 }, () => slow('/a', MIB))
    const replies = bodies.map(({ request }) => handler.handle(request))
    const { status, headers } = await handler.handle(callOf('POST', '/a', { bytes: Buffer.alloc(1) }))
    assert.deepEqual([status, headers['retry-after']], [503, '2'])
    for (const { send } of bodies) send()
    for (const reply of replies) assert.equal((await reply).status, 200)
    assert.equal((await handler.handle(callOf('POST', '/a', { bytes: Buffer.alloc(MIB) }))).status, 200)
    assert.equal(errors.filter((code) => code === 'ERR_OVERLOADED').length, 1)
  })

  test('of strangers use half of it, so that known callers are served', async () => {
    const stranger: Route = {
      name: 'clearKeyLicense',
      path: '/stranger',
      method: 'POST',
      handle: async (call) => textReply(200, String((await call.body('stranger')).length)),
    }
    const known = {
      name: 'copyProtection',
      path: '/a',
      method: 'POST',
      handle: async () => textReply(200, ''),
    } as const
    const { handler } = serving({}, { routes: [stranger, { ...known, handle: readAll }] })
    const bodies = Array.from({ length: 16 }, () => slow('/stranger', MIB))
    const replies = bodies.map(({ request }) => handler.handle(request))
    assert.equal((await handler.handle(callOf('POST', '/stranger', { bytes: Buffer.alloc(1) }))).status, 503)
    assert.equal((await handler.handle(callOf('POST', '/a', { bytes: Buffer.alloc(MIB) }))).status, 200)
    for (const { send } of bodies) send()
    await Promise.all(replies)
    assert.equal((await handler.handle(callOf('POST', '/stranger', { bytes: Buffer.alloc(1) }))).status, 200)
  })

  test('of a sender that leaves are given back, and the request is not observed', async () => {
    const { handler, errors } = serving()
    for (let i = 0; i < 40; i++) {
      const { request, leave } = slow('/a', MIB)
      const reply = handler.handle(request)
      leave()
      await reply
    }
    assert.deepEqual([errors, handler.underWay], [[], 0])
    assert.equal((await handler.handle(callOf('POST', '/a', { bytes: Buffer.alloc(MIB) }))).status, 200)
  })
})

async function readAll(call: Parameters<Route['handle']>[0]) {
  return textReply(200, String((await call.body()).length))
}
