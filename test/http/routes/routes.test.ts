import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ForbiddenError } from '../../../src/auth/failure.ts'
import type { SpekeAnswerer } from '../../../src/protocols/speke/answer.ts'
import { callOf, DOCUMENT, echo, handlerOf } from '../calls.ts'

const SPEKE_BASES = ['', '/speke/v1.0', '/speke/v2.0', '/speke/v2.1', '/EkeStage', '/tenant/a', '/b']
const { handler, observed } = handlerOf(echo, { basePaths: ['tenant/a', '/b/'] })

for (const base of SPEKE_BASES) {
  test(`SPEKE is served at ${base}/copyProtection, with a slash or a query behind it too`, async () => {
    for (const path of ['/copyProtection', '/copyProtection/', '/copyProtection?a=b', '/copyProtection/?a=/b/']) {
      assert.equal((await handler(callOf('POST', base + path, { bytes: DOCUMENT }))).status, 200, path)
    }
  })

  test(`the heartbeat beats at ${base}/heartbeat`, async () => {
    const reply = await handler(callOf('GET', `${base}/heartbeat`))
    assert.equal(reply.status, 200)
    assert.match(String(reply.headers['content-type']), /^text\/plain/)
    assert.notEqual(reply.body, '')
  })
}

test('a request line with an origin is served', async () => {
  assert.equal((await handler(callOf('GET', 'http://127.0.0.1:8080/livez?x'))).status, 200)
})

for (const path of [
  '/',
  '',
  '*',
  '/copyprotection',
  '//copyProtection',
  '/copyProtection/x',
  '/speke/v3.0/copyProtection',
  '/__proto__',
]) {
  test(`nothing is served at ${JSON.stringify(path)}, and the reply does not repeat it`, async () => {
    observed.length = 0
    const reply = await handler(callOf('POST', path, { bytes: DOCUMENT }))
    assert.equal(reply.status, 404)
    assert.match(String(reply.body), /nothing is served at this path/)
    assert.equal(observed[0]?.route, undefined)
  })
}

test('livez answers its word', async () => {
  assert.equal((await handler(callOf('GET', '/livez'))).body, 'live')
  assert.equal((await handler(callOf('HEAD', '/livez'))).status, 200)
  assert.equal((await handler(callOf('POST', '/livez'))).headers.allow, 'GET, HEAD')
})

test('readyz tells one word, whatever is wrong', async () => {
  const ready = handlerOf(echo, { isReady: async () => true }).handler
  const unready = handlerOf(echo, { isReady: async () => false }).handler
  assert.deepEqual({ status: (await ready(callOf('GET', '/readyz'))).status }, { status: 200 })
  const reply = await unready(callOf('GET', '/readyz'))
  assert.deepEqual({ status: reply.status, body: reply.body }, { status: 503, body: 'unready' })
})

test('metrics are for whom the operator lets in', async () => {
  assert.equal((await handler(callOf('GET', '/metrics'))).body, 'keyspring_up 1\n')
  const admitOperator = (): never => {
    throw new ForbiddenError('scope', 'encoder')
  }
  const refusing = handlerOf(echo, { admitOperator }).handler
  assert.equal((await refusing(callOf('GET', '/metrics'))).status, 403)
})

test('a call beyond the limit gets 503 with Retry-After, except health and metrics', async () => {
  const go = Promise.withResolvers<void>()
  const slow: SpekeAnswerer['answer'] = async (request) => {
    await go.promise
    return echo(request)
  }
  const { handler: limited } = handlerOf(slow, { maxConcurrent: 1 })
  const post = () => limited(callOf('POST', '/copyProtection', { bytes: DOCUMENT }))
  const first = post()
  const { status, headers } = await post()
  assert.deepEqual([status, headers['retry-after']], [503, '2'])
  assert.equal((await limited(callOf('GET', '/livez'))).status, 200)
  go.resolve()
  assert.equal((await first).status, 200)
  assert.equal((await post()).status, 200)
})
