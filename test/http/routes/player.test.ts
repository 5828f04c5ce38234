import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RateLimit } from '../../../src/auth/rate-limit.ts'
import { ProxyTrust } from '../../../src/http/listener/proxy-trust.ts'
import { clearKeyLicense, type PlayerRouteOptions, playerKey } from '../../../src/http/routes/player.ts'
import { openAccess } from '../../../src/protocols/playback/access.ts'
import { callbackAccess } from '../../../src/protocols/playback/callback-access.ts'
import { corsOf } from '../../../src/protocols/playback/cors.ts'
import { type CallOverrides, callOf, handlerFor } from '../calls.ts'

const KID = '71d0c4be-2f35-4a1b-8e69-c0a4b7d3e101'
const PATH = `/keys/default/movie/${KID}`

function serving(options: Partial<PlayerRouteOptions> = {}) {
  const warnings: (string | undefined)[] = []
  const player: PlayerRouteOptions = {
    access: openAccess,
    cors: corsOf(['https://player.example']),
    token: {},
    now: () => 0,
    keys: { deliver: async () => Buffer.alloc(16), license: async () => '{}' },
    ...options,
  }
  const handler = handlerFor({
    routes: [playerKey(player), clearKeyLicense(player)],
    proxies: new ProxyTrust([]),
    observe: (call) => void warnings.push(call.warning),
  })
  const ask = async (path = PATH, overrides: CallOverrides = {}, method = 'GET') =>
    (await handler(callOf(method, path, overrides))).status
  return { ask, warnings }
}

describe('an authorization service', () => {
  /** A service that allows the token `right`, and counts its questions. */
  function counting() {
    const questions: string[] = []
    const access = callbackAccess({
      post: async (json) => {
        questions.push(json)
        return { status: 200, body: JSON.stringify({ allow: json.includes('"right"'), ttl: 60 }) }
      },
    })
    const limit = new RateLimit({ perSecond: 1, burst: 1, now: () => 0 })
    const { ask } = serving({ access, limit })
    const guess = (token: string) => ask(PATH, { headers: { authorization: `Bearer ${token}` } })
    return { questions, guess }
  }

  test('is not asked about the guesses of an address that was refused too often', async () => {
    const { questions, guess } = counting()
    const statuses = []
    for (let i = 0; i < 1_000; i++) statuses.push(await guess(`guess-${i}`))
    assert.equal(statuses.filter((status) => status === 429).length, 999)
    assert.equal(questions.length, 1)
  })

  test('whose decision is remembered serves a player beside one that guesses', async () => {
    const { questions, guess } = counting()
    assert.equal(await guess('right'), 200)
    for (let i = 0; i < 5; i++) await guess(`guess-${i}`)
    assert.equal(questions.length, 2)
  })

  test('that is slow collects a limited number of players', async () => {
    const access = callbackAccess({ post: () => new Promise(() => undefined), timeoutMs: 60_000 })
    const { ask } = serving({ access })
    for (let i = 0; i < 256; i++) void ask(PATH, { headers: { authorization: `Bearer t${i}` } })
    assert.equal(await ask(PATH, { headers: { authorization: 'Bearer last' } }), 503)
  })
})

describe('names of players', () => {
  test('have at most 256 characters: a longer one is 404, and nobody is asked', async () => {
    const { ask } = serving({
      access: { allow: () => assert.fail('asked') },
      keys: { deliver: async () => assert.fail('looked up'), license: async () => assert.fail('looked up') },
    })
    const long = 'x'.repeat(257)
    assert.equal(await ask(`/keys/default/${long}/${KID}`), 404)
    assert.equal(await ask(`/keys/${long}/movie/${KID}`), 404)
    assert.equal(await ask(`/keys/default/~${Buffer.from(`${long}/`).toString('base64url')}/${KID}`), 404)
    const readBody = () => assert.fail('read')
    assert.equal(await ask(`/license/clearkey/default/${long}`, { readBody }, 'POST'), 404)
    assert.equal(await serving().ask(`/keys/default/${'x'.repeat(256)}/${KID}`), 200)
  })

  test('a licence request has at most 16 KB', async () => {
    const body = (length: number) => ({ bytes: Buffer.from(JSON.stringify({ kids: ['x'.repeat(length)] })) })
    assert.equal(await serving().ask('/license/clearkey/default/movie', body(16 * 1024), 'POST'), 413)
    assert.equal(await serving().ask('/license/clearkey/default/movie', body(100), 'POST'), 400)
  })
})

describe('an origin that may not read answers', () => {
  const from = (origin: string) => ({ headers: { origin } })

  test('leaves a warning that names it and the setting, on an answer, an error and a preflight', async () => {
    const { ask, warnings } = serving()
    await ask(PATH, from('https://other.example'))
    await ask('/keys/default/movie/none', from('https://other.example'))
    await ask(PATH, from('https://other.example'), 'OPTIONS')
    assert.equal(warnings.length, 3)
    for (const warning of warnings)
      assert.match(warning ?? '', /^pages of https:\/\/other\.example .*playback\.origins/)
  })

  test('leaves none if it is allowed, absent, or no origin at all', async () => {
    const { ask, warnings } = serving()
    for (const overrides of [from('https://player.example'), {}, from('a"b\n')]) await ask(PATH, overrides)
    assert.deepEqual(warnings, [undefined, undefined, undefined])
  })
})
