import assert from 'node:assert/strict'
import { createSecretKey } from 'node:crypto'
import { describe, test } from 'node:test'
import { signUrl } from '../../../src/auth/players/signed-url.ts'
import { createPlayerTokens, mintPlayerToken, type PlayerGrant } from '../../../src/auth/players/token.ts'
import { RateLimit } from '../../../src/auth/rate-limit.ts'
import {
  type AccessControl,
  type AccessRequest,
  jwtAccess,
  signedUrlAccess,
} from '../../../src/protocols/playback/access.ts'
import { callOf } from '../../http/calls.ts'
import { base64url, getKey, issue, kidOf, NOW, playing, postLicense, REF, wantedOf } from './playing.ts'

const SECRET = { id: 'k1', algorithm: 'HS256', key: createSecretKey(Buffer.alloc(32, 1)) } as const
const GRANT: PlayerGrant = { tenant: 'default', contentIds: ['movie'], expiresAt: NOW + 60_000, subject: 'viewer' }
const MINUTE = 60_000

/** A player's side that takes tokens, and a token of a grant. */
async function withTokens(options: Partial<Parameters<typeof playing>[0]> = {}) {
  const clock = { now: NOW }
  const access = jwtAccess(createPlayerTokens({ keys: [SECRET], now: () => clock.now }))
  const token = { cookie: 'player', query: 'token' }
  const setup = await playing({ access, token, now: () => clock.now, ...options })
  const mint = (grant: Partial<PlayerGrant> = {}, key = SECRET) => mintPlayerToken(key, { ...GRANT, ...grant }, NOW)
  const ask = (bearer: string | undefined, kid = 1, path = '/keys/default/movie') =>
    getKey(setup.handler, kidOf(kid), path, {
      headers: bearer === undefined ? {} : { authorization: `Bearer ${bearer}` },
    })
  return { ...setup, access, mint, ask, playerClock: clock }
}

describe('a player token', () => {
  test('opens the contents that it names, brought as a header, a query parameter or a cookie', async () => {
    const { handler, mint, clear } = await withTokens()
    const token = await mint()
    const call = (headers: Record<string, string>, query = '') =>
      handler(callOf('GET', `/keys/default/movie/${kidOf(1)}${query}`, { headers }))
    for (const reply of [
      await call({ authorization: `Bearer ${token}` }),
      await call({ authorization: `bearer  ${token}` }),
      await call({}, `?x=1&token=${token}`),
      await call({ cookie: `a=b; player=${token}; c=d` }),
    ]) {
      assert.equal(Buffer.from(reply.body).toString('hex'), clear)
    }
    // The header is the one that was meant.
    assert.equal((await call({ authorization: 'Bearer none' }, `?token=${token}`)).status, 401)
    assert.equal((await call({ cookie: `xplayer=${token}` })).status, 401)
    assert.equal((await call({}, `?TOKEN=${token}`)).status, 401)
  })

  test('that is missing is 401 with a challenge', async () => {
    const { ask } = await withTokens()
    const { status, headers, body } = await ask(undefined)
    assert.deepEqual([status, headers['www-authenticate']], [401, 'Bearer'])
    assert.match(body, /no token/)
  })

  test('that is wrong, expired or of another key is 401 in words that repeat nothing of it', async () => {
    const { ask, mint, playerClock } = await withTokens()
    const token = await mint()
    const foreign = await mint({}, { ...SECRET, key: createSecretKey(Buffer.alloc(32, 2)) })
    for (const wrong of ['none', `${token}x`, foreign]) {
      const { status, headers, body } = await ask(wrong)
      assert.deepEqual([status, headers['www-authenticate']], [401, 'Bearer error="invalid_token"'])
      assert.equal(body, 'the token is not valid here')
    }
    assert.equal((await ask(token)).status, 200)
    playerClock.now += MINUTE
    const { status, body } = await ask(token)
    assert.equal(status, 401)
    assert.match(body, /has expired/)
  })

  test('for another content, tenant or key is 403, whether that exists or not', async () => {
    const { ask, mint, keys } = await withTokens()
    await issue(keys, [wantedOf(1, 'clear')], { tenant: 'default', contentId: 'series' })
    const token = await mint({ kids: [kidOf(1)] })
    const replies = await Promise.all([
      ask(token, 1, '/keys/default/series'),
      ask(token, 1, '/keys/default/none'),
      ask(token, 1, '/keys/other/movie'),
      ask(token, 3),
    ])
    assert.deepEqual(
      replies.map(({ status }) => status),
      [403, 403, 403, 403],
    )
    assert.equal(replies[0].body, replies[1].body)
  })

  test('for some of the kids gives a licence with those', async () => {
    const { handler, mint } = await withTokens()
    const headers = { authorization: `Bearer ${await mint({ kids: [kidOf(3), kidOf(1)] })}` }
    const body = { kids: [1, 3, 4].map((kid) => base64url(kidOf(kid))) }
    const license = JSON.parse((await postLicense(handler, body, { headers })).body)
    assert.deepEqual(
      license.keys.map(({ kid }: { kid: string }) => kid),
      body.kids.slice(0, 2),
    )
    assert.equal((await postLicense(handler, { kids: [base64url(kidOf(4))] }, { headers })).status, 403)
  })
})

describe('a signed URL', () => {
  const signing = { id: 'k1', key: createSecretKey(Buffer.alloc(32, 1)) }
  const access = signedUrlAccess(new Map([[signing.id, signing.key]]))
  const expiresAt = NOW + MINUTE

  test('opens the one key that it was signed for, until it expires', async () => {
    const clock = { now: NOW }
    const { handler, clear } = await playing({ access, now: () => clock.now })
    const query = signUrl(signing, { ...REF, kid: kidOf(1) }, expiresAt)
    assert.equal((await getKey(handler, `${kidOf(1)}?${query}`)).body, clear)
    for (const [kid, path] of [
      [kidOf(3), '/keys/default/movie'],
      [kidOf(1), '/keys/default/other'],
      [kidOf(1), '/keys/other/movie'],
    ] as const) {
      assert.equal((await getKey(handler, `${kid}?${query}`, path)).status, 401)
    }
    assert.equal((await getKey(handler, kidOf(1))).status, 401)
    clock.now = expiresAt
    assert.equal((await getKey(handler, `${kidOf(1)}?${query}`)).status, 401)
  })

  test('for licences opens no key, and one for a key opens no licence', async () => {
    const { handler } = await playing({ access })
    const licenses = signUrl(signing, REF, expiresAt)
    const one = signUrl(signing, { ...REF, kid: kidOf(1) }, expiresAt)
    const license = (query: string) =>
      postLicense(handler, { kids: [base64url(kidOf(1))] }, { path: `/license/clearkey/default/movie?${query}` })
    assert.equal((await license(licenses)).status, 200)
    assert.equal((await license(one)).status, 401)
    assert.equal((await getKey(handler, `${kidOf(1)}?${licenses}`)).status, 401)
  })
})

test('the access control is told everything that may decide', async () => {
  const requests: AccessRequest[] = []
  const access: AccessControl = {
    allow: (request) => {
      requests.push(request)
      return { allow: true, kids: 'all' }
    },
  }
  const { handler } = await playing({ access })
  const headers = { authorization: 'Bearer t', 'user-agent': 'player/1' }
  await getKey(handler, `${kidOf(1)}?a=b`, '/keys/default/movie', { headers, peer: '192.0.2.1' })
  const [request] = requests
  assert.ok(request)
  const { query, ...rest } = request
  assert.equal(query.get('a'), 'b')
  assert.deepEqual(rest, {
    ...REF,
    what: 'key',
    kids: [kidOf(1)],
    token: 't',
    ip: '192.0.2.1',
    userAgent: 'player/1',
    now: NOW,
  })
})

test('who asks too often is told when to ask again: a subject, an address without one, and one that guesses', async () => {
  const clock = { now: 0 }
  const limit = () => new RateLimit({ perSecond: 0.5, burst: 2, now: () => clock.now })
  const { ask, mint } = await withTokens({ limit: limit() })
  const [viewer, other] = [await mint(), await mint({ subject: 'other' })]
  const statuses = []
  for (const token of [viewer, viewer, viewer, other, 'guess', 'guess', 'guess', other]) {
    statuses.push((await ask(token)).status)
  }
  assert.deepEqual(statuses, [200, 200, 429, 200, 401, 401, 429, 200])
  const { headers } = await ask(viewer)
  assert.equal(headers['retry-after'], '2')

  const { handler } = await playing({ limit: limit() })
  const addresses = []
  for (const peer of ['a', 'a', 'a', 'b']) addresses.push((await getKey(handler, kidOf(1), undefined, { peer })).status)
  assert.deepEqual(addresses, [200, 200, 429, 200])
})
