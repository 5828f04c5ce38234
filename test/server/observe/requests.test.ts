import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AuthenticationError, ForbiddenError, RateLimitedError } from '../../../src/auth/failure.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import type { Route, RouteReply } from '../../../src/http/route.ts'
import { AccessError } from '../../../src/protocols/playback/access.ts'
import { RequestObserver } from '../../../src/server/observe/requests.ts'
import { callOf, toCall } from '../../http/calls.ts'
import { keptLog, keptMetrics } from '../fakes.ts'

const request = callOf('POST', '/speke/v1.0/copyProtection', {
  headers: { 'x-speke-version': '2.0', authorization: 'hunter2' },
  bytes: Buffer.from('hunter2'),
})
const call = toCall(request)
await call.body()
const route: Route = { name: 'copyProtection', path: '', method: 'POST', handle: () => assert.fail('not called') }
const reply = (status: number, first?: boolean): RouteReply => ({
  status,
  headers: {},
  body: 'hunter2',
  ...(first !== undefined && {
    issued: { tenant: 'default', client: 'anonymous', contentId: 'movie', keys: 2, first },
  }),
})

function observed(logRequests: boolean, ...[outcome, error, seen = route]: [RouteReply, unknown?, Route?]) {
  const { log, lines } = keptLog()
  const { metrics, told } = keptMetrics()
  new RequestObserver({ log, metrics, logRequests }).observe(call, seen, outcome, error, 1.23456)
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/)
  return { lines, told }
}

test('an answer is counted and not logged', () => {
  const { lines, told } = observed(false, reply(200, false))
  assert.deepEqual(lines, [])
  assert.deepEqual(told, [
    ['request', 'copyProtection', '2.0', 200, 1.23456],
    ['requestBytes', 'copyProtection', 7],
    ['issued', 2, false],
  ])
})

const ANSWERED = {
  requestId: 'test-1',
  route: 'copyProtection',
  status: 200,
  peer: '127.0.0.1',
  tenant: 'default',
  client: 'anonymous',
  contentId: 'movie',
  keys: 2,
  ms: 1.235,
}

test('the first keys of a content are logged', () => {
  const { lines } = observed(false, reply(200, true))
  assert.deepEqual(lines, [
    { level: 'info', fields: { ...ANSWERED, first: true }, message: 'first keys of a content issued' },
  ])
})

test('every request is logged where that is wanted', () => {
  const { lines } = observed(true, reply(200, false))
  assert.deepEqual(lines, [{ level: 'info', fields: { ...ANSWERED, first: false }, message: 'answered' }])
})

test('a refusal is logged with its code and message', () => {
  const error = new KeyProviderError('ERR_CPIX_INVALID', 'CPIX/ContentKeyList: is missing')
  const { lines, told } = observed(false, reply(422), error)
  assert.equal(lines[0]?.level, 'warn')
  assert.equal(lines[0]?.fields.code, 'ERR_CPIX_INVALID')
  assert.equal(lines[0]?.fields.problem, 'CPIX/ContentKeyList: is missing')
  assert.deepEqual(told[2], ['refusal', 'ERR_CPIX_INVALID'])
})

test('a failure is logged with its causes', () => {
  const cause = new Error('disk full')
  const { lines } = observed(false, reply(503), new KeyProviderError('ERR_STORE_UNAVAILABLE', 'not written', { cause }))
  assert.equal(lines[0]?.level, 'error')
  assert.equal(lines[0]?.fields.error?.code, 'ERR_STORE_UNAVAILABLE')
  assert.equal(lines[0]?.fields.error?.stack, undefined)
  assert.equal(lines[0]?.fields.error?.cause?.message, 'disk full')
  assert.equal(observed(false, reply(500), cause).told[2]?.[1], 'UNFORESEEN')
})

test('a path that names another version than the header is counted, and a version nobody knows is `other`', () => {
  assert.deepEqual(observed(false, reply(200), undefined, { ...route, pathVersion: '1.0' }).told[2], [
    'pathVersionMismatch',
  ])
  assert.equal(observed(false, reply(200), undefined, { ...route, pathVersion: '2.0' }).told.length, 2)
  const { log } = keptLog()
  const { metrics, told } = keptMetrics()
  const odd = toCall({ ...request, headers: { 'x-speke-version': 'hunter2' } })
  new RequestObserver({ log, metrics, logRequests: false }).observe(odd, route, reply(422), undefined, 1)
  assert.equal(told[0]?.[2], 'other')
})

test('the body of a request that has one is measured', () => {
  const told = observed(false, reply(200, false)).told
  assert.deepEqual(
    told.filter(([name]) => name === 'requestBytes'),
    [['requestBytes', 'copyProtection', 7]],
  )
})

test('who is turned away is counted with the reason, never with a name', () => {
  const toldOf = (status: number, error: unknown, seen: Route = route) =>
    observed(false, reply(status), error, seen).told.slice(-1)[0]
  assert.deepEqual(toldOf(401, new AuthenticationError('stale', 'digest')), ['authFailure', 'digest', 'stale'])
  assert.deepEqual(toldOf(401, new AuthenticationError('missing')), ['authFailure', 'none', 'missing'])
  assert.deepEqual(toldOf(403, new ForbiddenError('content', 'hunter3')), ['forbidden', 'content'])
  assert.deepEqual(toldOf(429, new RateLimitedError(1, 'hunter3')), ['rateLimited', 'client'])
  assert.deepEqual(toldOf(429, new RateLimitedError(1), { ...route, name: 'key' }), ['rateLimited', 'player'])
})

const OUTCOMES: readonly (readonly [outcome: string, status: number, error: unknown])[] = [
  ['served', 200, undefined],
  ['token-expired', 401, new AccessError('token-expired')],
  ['guards-drm', 403, new KeyProviderError('ERR_KEY_GUARDS_DRM', '')],
  ['not-found', 404, new KeyProviderError('ERR_KEY_NOT_FOUND', '')],
  ['rate-limited', 429, new RateLimitedError(1)],
  ['gone', 410, new KeyProviderError('ERR_CONTENT_GONE', '')],
  ['refused', 405, new KeyProviderError('ERR_METHOD_NOT_ALLOWED', '')],
  ['failed', 503, new KeyProviderError('ERR_STORE_UNAVAILABLE', '')],
]
for (const [outcome, status, error] of OUTCOMES) {
  test(`a player's request that is ${outcome} is counted as that`, () => {
    for (const [name, kind] of [
      ['key', 'key'],
      ['clearKeyLicense', 'license'],
    ] as const) {
      const { told } = observed(false, reply(status), error, { ...route, name })
      assert.deepEqual(
        told.filter(([first]) => first === 'playerRequest'),
        [['playerRequest', kind, outcome]],
      )
    }
  })
}

test('a preflight asks for nothing', () => {
  const { log } = keptLog()
  const { metrics, told } = keptMetrics()
  const preflight = toCall(callOf('OPTIONS', '/keys/default/movie/kid', {}))
  new RequestObserver({ log, metrics, logRequests: false }).observe(
    preflight,
    { ...route, name: 'key' },
    reply(200),
    undefined,
    1,
  )
  assert.deepEqual(
    told.map(([name]) => name),
    ['request'],
  )
})

test('a missing CORS origin is logged with its setting, once for all requests of the page', () => {
  const { log, lines } = keptLog()
  const { metrics } = keptMetrics()
  const { observe } = new RequestObserver({ log, metrics, logRequests: false })
  const problem = 'pages of https://player.example cannot read this answer: add the origin to playback.origins'
  for (let i = 0; i < 3; i++) {
    const player = toCall(callOf('GET', '/keys/default/movie/kid'))
    player.warning = problem
    observe(player, { ...route, name: 'key' }, reply(200), undefined, 1)
  }
  assert.deepEqual(
    lines.map(({ level, fields, message }) => [level, fields.problem, message]),
    [['warn', problem, 'answered with a warning']],
  )
})
