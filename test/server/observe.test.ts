import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyProviderError } from '../../src/errors.ts'
import type { Route, RouteReply } from '../../src/http/route.ts'
import { observeWith } from '../../src/server/observe.ts'
import { callOf } from '../http/calls.ts'
import { keptLog, keptMetrics } from './fakes.ts'

const call = callOf('POST', '/speke/v1.0/copyProtection', {
  headers: { 'x-speke-version': '2.0', authorization: 'hunter2' },
  bytes: Buffer.from('hunter2'),
})
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
  observeWith({ log, metrics, logRequests })(call, seen, outcome, error, 1.23456)
  assert.doesNotMatch(JSON.stringify(lines), /hunter2/)
  return { lines, told }
}

test('an answer is counted and not logged', () => {
  const { lines, told } = observed(false, reply(200, false))
  assert.deepEqual(lines, [])
  assert.deepEqual(told, [
    ['request', 'copyProtection', '2.0', 200, 1.23456],
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
  assert.deepEqual(told[1], ['refusal', 'ERR_CPIX_INVALID'])
})

test('a failure is logged with its causes', () => {
  const cause = new Error('disk full')
  const { lines } = observed(false, reply(503), new KeyProviderError('ERR_STORE_UNAVAILABLE', 'not written', { cause }))
  assert.equal(lines[0]?.level, 'error')
  assert.equal(lines[0]?.fields.error?.code, 'ERR_STORE_UNAVAILABLE')
  assert.equal(lines[0]?.fields.error?.stack, undefined)
  assert.equal(lines[0]?.fields.error?.cause?.message, 'disk full')
  assert.equal(observed(false, reply(500), cause).told[1]?.[1], 'UNFORESEEN')
})

test('a path that names another version than the header is counted, and a version nobody knows is `other`', () => {
  assert.deepEqual(observed(false, reply(200), undefined, { ...route, pathVersion: '1.0' }).told[1], [
    'pathVersionMismatch',
  ])
  assert.equal(observed(false, reply(200), undefined, { ...route, pathVersion: '2.0' }).told.length, 1)
  const { log } = keptLog()
  const { metrics, told } = keptMetrics()
  const odd = { ...call, headers: { 'x-speke-version': 'hunter2' } }
  observeWith({ log, metrics, logRequests: false })(odd, route, reply(422), undefined, 1)
  assert.equal(told[0]?.[2], 'other')
})
