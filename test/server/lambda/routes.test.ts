import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Handler } from '../../../src/http/request.ts'
import { routes } from '../../../src/http/routes/routes.ts'
import { openAccess } from '../../../src/protocols/playback/access.ts'
import { corsOf } from '../../../src/protocols/playback/cors.ts'
import type { FunctionServer } from '../../../src/server/assemble/function.ts'
import { createLambda } from '../../../src/server/lambda/handler.ts'
import { type CallOverrides, callOf, DOCUMENT, echo, handlerFor } from '../../http/calls.ts'
import { keptLog } from '../fakes.ts'
import { type AskedByEvent, EVENTS, eventOf, readResult, recorded } from './events.ts'

const KEY = Uint8Array.from({ length: 16 }, (_, i) => 240 + i)
const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'

/** All routes, over answers that show what they were given. */
const answering: Handler = handlerFor({
  routes: routes({
    speke: { answer: echo },
    identify: () => ({ tenant: 'default', client: 'test', method: 'none', authorize: () => undefined }),
    userAgent: 'keyspring/9.9.9',
    basePaths: [],
    isReady: async () => true,
    metrics: undefined,
    player: {
      access: openAccess,
      cors: corsOf(['https://player.example.com']),
      token: {},
      now: () => 0,
      keys: { deliver: async () => KEY, license: async () => '{"keys":[]}' },
    },
    widevine: {
      widevine: { answer: async (signer, bytes) => ({ body: JSON.stringify({ signer, bytes: bytes.length }) }) },
    },
  }),
  checks: [],
  observe: () => undefined,
  now: () => 0,
})

const LICENSE = '{"kids":["cdDEvi81ShuOacCkt9PhAQ"],"type":"temporary"}'
const PLAYER = { Origin: 'https://player.example.com' }
/** What the tests of the routes ask, and what is refused. */
const ASKED: Readonly<Record<string, AskedByEvent>> = {
  SPEKE: { method: 'POST', path: '/copyProtection', headers: { 'X-Speke-Version': '2.0' }, body: DOCUMENT.toString() },
  'SPEKE by a path of a version': { method: 'POST', path: '/speke/v1.0/copyProtection', body: DOCUMENT.toString() },
  'SPEKE of another type': {
    method: 'POST',
    path: '/copyProtection',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
  },
  'SPEKE without a body': { method: 'POST', path: '/copyProtection', headers: { 'X-Speke-Version': '2.1' } },
  'a wrong method': { path: '/copyProtection' },
  'a heartbeat': { path: '/speke/v2.0/heartbeat' },
  'whether it lives': { path: '/livez' },
  'whether it lives, by HEAD': { method: 'HEAD', path: '/livez' },
  'whether it is ready': { path: '/readyz' },
  'a key': { path: `/keys/default/movie/${KID}`, headers: PLAYER },
  'a key of no kid': { path: '/keys/default/movie/none' },
  'a preflight': {
    method: 'OPTIONS',
    path: `/keys/default/movie/${KID}`,
    headers: { ...PLAYER, 'Access-Control-Request-Method': 'GET' },
  },
  'a licence': { method: 'POST', path: '/license/clearkey/default/movie', headers: PLAYER, body: LICENSE },
  'a licence for nonsense': { method: 'POST', path: '/license/clearkey/default/movie', body: '[' },
  'a key by the Widevine API': { method: 'POST', path: '/widevine/getcontentkey/signer', body: '{}' },
  'what is not there': { path: '/nothing', query: { a: 'b c' } },
}

function lambdaOver(handler: Handler, changes: Partial<FunctionServer> = {}) {
  const { log, lines } = keptLog()
  let flushed = 0
  const server: FunctionServer = {
    handlerAt: () => handler,
    identity: { secretHeader: 's', secret: 'x', arnHeader: 'a', accountHeader: 'b' },
    maxBodyBytes: 1_000_000,
    tasks: { rotations: async () => ({}), expiry: async () => ({}) },
    log,
    flush: async () => {
      flushed++
    },
    close: async () => {},
    ...changes,
  }
  let starts = 0
  const { handler: handle } = createLambda(async () => {
    starts++
    return server
  })
  return { handle, lines, flushed: () => flushed, starts: () => starts }
}

const lower = (headers: Readonly<Record<string, string>> = {}) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

for (const name of EVENTS) {
  describe(`by an event of ${name}`, () => {
    const { handle, flushed } = lambdaOver(answering)
    for (const [what, asked] of Object.entries(ASKED)) {
      test(`${what} is answered as it is by a listener`, async () => {
        const { method = 'GET', path, query = {}, headers, body = '' } = asked
        const search = new URLSearchParams(query).toString()
        const changes: CallOverrides = { headers: lower(headers), bytes: Buffer.from(body) }
        const reply = await answering(callOf(method, search === '' ? path : `${path}?${search}`, changes))
        const before = flushed()
        const result = readResult(await handle(eventOf(name, asked)))
        const { 'x-request-id': requestId, ...given } = result.headers
        const expected = Object.entries(reply.headers).map(([key, value]) => [key, [value].flat().join(', ')])
        assert.deepEqual([result.status, given], [reply.status, Object.fromEntries(expected)])
        assert.deepEqual(result.bytes, method === 'HEAD' ? Buffer.alloc(0) : Buffer.from(reply.body))
        assert.match(requestId ?? '', /^[\w.-]+$/)
        assert.equal(flushed(), before + 1)
      })
    }
  })
}

describe('the handler of a function', () => {
  test('starts the server once', async () => {
    const { handle, starts } = lambdaOver(answering)
    await Promise.all([1, 2, 3].map(() => handle(eventOf('rest-api', { path: '/livez' }))))
    assert.equal(starts(), 1)
  })

  test('tries again after a start that failed, and says why it did', async () => {
    let starts = 0
    const { handler, prepare } = createLambda(async () => {
      starts++
      throw new Error('KEYSPRING_STORE: expected another')
    })
    await assert.rejects(prepare(), /KEYSPRING_STORE/)
    await assert.rejects(handler(eventOf('rest-api', { path: '/livez' })), /KEYSPRING_STORE/)
    assert.equal(starts, 2)
  })

  for (const [name, most] of [
    ['rest-api', 6_291_456],
    ['http-api', 6_291_456],
    ['function-url', 6_291_456],
    ['load-balancer', 1_048_576],
  ] as const) {
    test(`says so where an answer is more than ${name} passes on, and tells the log`, async () => {
      const of = (length: number) =>
        lambdaOver(async () => ({
          status: 200,
          headers: { 'content-type': 'application/xml' },
          body: Buffer.alloc(length, 'k'),
        }))
      const fits = await of(most - 2_000).handle(eventOf(name, { path: '/x' }))
      assert.equal(readResult(fits).status, 200)
      assert.ok(Buffer.byteLength(JSON.stringify(fits)) <= most)
      const { handle, lines } = of(most)
      const { status, bytes } = readResult(await handle(eventOf(name, { path: '/x' })))
      assert.equal(status, 413)
      assert.match(bytes.toString(), /^the answer is too large: .*\. Request fewer keys at once$/)
      assert.equal(lines.length, 1)
    })
  }

  test('answers 500 without a reason where something unforeseen happens, and tells the log', async () => {
    const { handle, lines, flushed } = lambdaOver(() => Promise.reject(new Error('secret')))
    const { status, bytes } = readResult(await handle(eventOf('http-api', { path: '/livez' })))
    assert.deepEqual([status, bytes.toString()], [500, 'internal error'])
    assert.equal(lines.length, 1)
    assert.equal(flushed(), 1)
  })

  const { event: scheduled } = recorded('schedule')
  const asking = (tasks: unknown) => ({ ...scheduled, detail: { tasks } })
  const working = (changes: Partial<FunctionServer['tasks']> = {}) => {
    const done: string[] = []
    const tasks = Object.fromEntries(
      (['rotations', 'expiry'] as const).map((task) => [
        task,
        async () => {
          done.push(task)
          return {}
        },
      ]),
    ) as unknown as FunctionServer['tasks']
    return { done, ...lambdaOver(answering, { tasks: { ...tasks, ...changes } }) }
  }

  test('does everything when it is time, or what the event names', async () => {
    for (const [event, expected] of [
      [scheduled, ['rotations', 'expiry']],
      [asking(['expiry', 'rotations']), ['rotations', 'expiry']],
      [asking(['rotations']), ['rotations']],
      [asking('expiry'), ['expiry']],
    ] as const) {
      const { handle, done, flushed } = working()
      assert.deepEqual(await handle(event), { statusCode: 200 })
      assert.deepEqual([done, flushed()], [expected, 1])
    }
  })

  test('refuses an event that names what is none of its tasks, by the names of those there are', async () => {
    for (const tasks of [[], ['rotations', 'backup'], 7, {}, [null], null]) {
      const { handle, done } = working()
      await assert.rejects(handle(asking(tasks)), { code: 'ERR_USAGE_INVALID', message: /rotations, expiry/ })
      assert.deepEqual(done, [])
    }
  })

  test('rejects when a task fails, so that it is tried again, after the others are done and everything is written', async () => {
    const { handle, done, flushed } = working({ rotations: () => Promise.reject(new Error('away')) })
    await assert.rejects(handle(scheduled), /away/)
    assert.deepEqual([done, flushed()], [['expiry'], 1])
  })

  test('tells of every task that failed', async () => {
    const failing = (why: string) => () => Promise.reject(new Error(why))
    const { handle } = working({ rotations: failing('table'), expiry: failing('audit log') })
    await assert.rejects(handle(scheduled), /table.*audit log/)
  })
})
