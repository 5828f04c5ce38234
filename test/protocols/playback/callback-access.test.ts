import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { callbackAccess, type PostDecision } from '../../../src/protocols/playback/callback-access.ts'
import { base64url, getKey, kidOf, NOW, playing, postLicense } from './playing.ts'

/** A player's side whose authorization service answers `body`. */
async function asking(body: unknown, options: { status?: number; post?: PostDecision; timeoutMs?: number } = {}) {
  const questions: unknown[] = []
  const clock = { now: NOW }
  const post: PostDecision = async (json) => {
    questions.push(JSON.parse(json))
    return { status: options.status ?? 200, body: typeof body === 'string' ? body : JSON.stringify(body) }
  }
  const access = callbackAccess({ post, ...options })
  const setup = await playing({ access, token: { query: 'token' }, now: () => clock.now })
  const ask = (token = 't', kid = 1) => getKey(setup.handler, `${kidOf(kid)}?token=${token}`)
  return { ...setup, questions, ask, playerClock: clock }
}

test('asks with the content, kids, token, address and user agent', async () => {
  const { ask, questions, clear } = await asking({ allow: true, ttl: 0 })
  assert.equal((await ask()).body, clear)
  assert.deepEqual(questions, [
    { tenant: 'default', contentId: 'movie', kids: [kidOf(1)], token: 't', ip: '127.0.0.1', userAgent: '' },
  ])
})

test('a denial is 403', async () => {
  const { ask } = await asking({ allow: false, ttl: 0 })
  const { status, body } = await ask()
  assert.equal(status, 403)
  assert.match(body, /denies/)
})

test('the kids of an answer are the only ones that are given', async () => {
  const { handler } = await asking({ allow: true, ttl: 0, kids: [kidOf(3).toUpperCase()] })
  const ask = (...kids: number[]) => postLicense(handler, { kids: kids.map((kid) => base64url(kidOf(kid))) })
  assert.equal(JSON.parse((await ask(1, 3)).body).keys.length, 1)
  assert.equal((await ask(1)).status, 403)
  const none = await asking({ allow: true, ttl: 0, kids: [] })
  assert.equal((await none.ask()).status, 403)
})

test('a decision holds for its ttl, for the very same question alone, and no longer than the limit', async () => {
  const { ask, questions, playerClock } = await asking({ allow: true, ttl: 1e9 })
  await ask()
  await ask()
  assert.equal(questions.length, 1)
  await ask('other')
  await ask('t', 3)
  assert.equal(questions.length, 3)
  playerClock.now += 299_999
  await ask()
  assert.equal(questions.length, 3)
  playerClock.now += 1
  await ask()
  assert.equal(questions.length, 4)
})

test('without a ttl, every request asks; requests at once ask together', async () => {
  const { ask, questions } = await asking({ allow: true })
  await ask()
  await ask()
  assert.equal(questions.length, 2)
  await Promise.all([ask(), ask(), ask()])
  assert.equal(questions.length, 3)
})

describe('no key leaves, and the player is told to try again, when the service', () => {
  const never: PostDecision = () => new Promise(() => {})
  const broken: PostDecision = () => Promise.reject(new Error('connect ECONNREFUSED'))
  for (const [name, body, options] of [
    ['answers another status', { allow: true, ttl: 1 }, { status: 500 }],
    ['redirects', { allow: true, ttl: 1 }, { status: 302 }],
    ['denies by status', '', { status: 403 }],
    ['answers no JSON', 'yes', {}],
    ['answers null', 'null', {}],
    ['answers a list', [true], {}],
    ['answers no decision', { ttl: 1 }, {}],
    ['answers another type of decision', { allow: 'true', ttl: 1 }, {}],
    ['answers a ttl that is no number', { allow: true, ttl: '1' }, {}],
    ['answers a negative ttl', { allow: true, ttl: -1 }, {}],
    ['answers kids that are none', { allow: true, ttl: 1, kids: ['x'] }, {}],
    ['answers kids that are no list', { allow: true, ttl: 1, kids: kidOf(1) }, {}],
    ['answers too much', { allow: true, ttl: 1, padding: 'x'.repeat(70_000) }, {}],
    ['does not answer in time', {}, { post: never, timeoutMs: 10 }],
    ['cannot be reached', {}, { post: broken }],
  ] as const) {
    test(name, async () => {
      const { ask } = await asking(body, options)
      const { status, headers } = await ask()
      assert.equal(status, 503)
      assert.equal(headers['retry-after'], '2')
    })
  }
})

test('a failure is not remembered', async () => {
  const answers = ['', '{"allow":true,"ttl":9}']
  const post: PostDecision = async () => ({ status: 200, body: answers.shift() ?? assert.fail('asked again') })
  const { ask } = await asking({}, { post })
  const statuses = [(await ask()).status, (await ask()).status, (await ask()).status]
  assert.deepEqual(statuses, [503, 200, 200])
})

test('gives up by aborting its request', async () => {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const post: PostDecision = (_json, signal) =>
    new Promise((_answer, reject) => {
      signal.addEventListener('abort', () => {
        resolve(true)
        reject(signal.reason)
      })
    })
  const { ask } = await asking({}, { post, timeoutMs: 10 })
  await ask()
  assert.equal(await promise, true)
})
