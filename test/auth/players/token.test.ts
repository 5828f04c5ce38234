import assert from 'node:assert/strict'
import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { SignJWT } from 'jose'
import {
  createPlayerTokens,
  grantCovers,
  mintPlayerToken,
  PLAYER_AUDIENCE,
  type PlayerGrant,
  type PlayerTokenAlgorithm,
} from '../../../src/auth/players/token.ts'
import { toKid } from '../../../src/formats/cenc.ts'
import { flips, NOW } from '../presenting.ts'

const secret = createSecretKey(randomBytes(32))
const ed = generateKeyPairSync('ed25519')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const KEYS: Readonly<Record<PlayerTokenAlgorithm, { readonly sign: KeyObject; readonly check: KeyObject }>> = {
  HS256: { sign: secret, check: secret },
  EdDSA: { sign: ed.privateKey, check: ed.publicKey },
  RS256: { sign: rsa.privateKey, check: rsa.publicKey },
}
const ALGORITHMS: readonly PlayerTokenAlgorithm[] = ['HS256', 'EdDSA', 'RS256']
const checking = ALGORITHMS.map((algorithm) => ({ id: algorithm, algorithm, key: KEYS[algorithm].check }))
const signing = (algorithm: PlayerTokenAlgorithm) => ({ id: algorithm, algorithm, key: KEYS[algorithm].sign })

const kid = toKid('0294b959-9d75-5de2-bbf0-fdca3fa5eab7') ?? assert.fail()
const otherKid = toKid('1294b959-9d75-5de2-bbf0-fdca3fa5eab7') ?? assert.fail()
const grant: PlayerGrant = {
  tenant: 'studio',
  contentIds: ['movie-*'],
  kids: [kid],
  expiresAt: NOW + 60_000,
  subject: 'viewer',
}

function make() {
  let time = NOW
  const tokens = createPlayerTokens({ keys: checking, now: () => time })
  return {
    verify: async (token: string) => tokens.verify(token),
    wait: (ms: number) => {
      time += ms
    },
  }
}

const refused = (reason: string) => ({ code: 'ERR_UNAUTHENTICATED', reason })

describe('player tokens', () => {
  for (const algorithm of ALGORITHMS) {
    test(`by ${algorithm} grant what was minted`, async () => {
      const { verify } = make()
      const token = await mintPlayerToken(signing(algorithm), grant, NOW)
      for (const _ of [1, 2]) assert.deepEqual(await verify(token), grant)
    })

    test(`by ${algorithm} are rejected with any character changed`, async () => {
      const { verify } = make()
      const token = await mintPlayerToken(signing(algorithm), grant, NOW)
      for (const changed of flips(token)) {
        const sameBytes = Buffer.from(changed, 'base64url').equals(Buffer.from(token, 'base64url'))
        const last = changed.slice(0, -1) === token.slice(0, -1)
        // The last character may have bits that stand for nothing.
        if (!(sameBytes || last)) await assert.rejects(verify(changed), { code: 'ERR_UNAUTHENTICATED' })
      }
    })
  }

  test('are rejected after their time, even when they were verified before', async () => {
    const { verify, wait } = make()
    const token = await mintPlayerToken(signing('HS256'), grant, NOW)
    await verify(token)
    wait(60_000)
    await assert.rejects(verify(token), refused('expired'))
  })

  test('are rejected by another key of the same id', async () => {
    const key = createSecretKey(randomBytes(32))
    const token = await mintPlayerToken({ id: 'HS256', algorithm: 'HS256', key }, grant, NOW)
    await assert.rejects(make().verify(token), refused('mismatch'))
  })

  test('are rejected when the public key is used as the secret of HS256', async () => {
    const parts = [
      { alg: 'HS256', kid: 'RS256' },
      { ...grant, aud: PLAYER_AUDIENCE, exp: NOW / 1_000 + 60 },
    ]
    const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
    const forged = `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`
    await assert.rejects(make().verify(forged), refused('mismatch'))
  })

  test('are rejected without a signature', async () => {
    const parts = [{ alg: 'none' }, { ...grant, aud: PLAYER_AUDIENCE, exp: NOW / 1_000 + 60 }]
    const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    await assert.rejects(make().verify(`${text}.`), { code: 'ERR_UNAUTHENTICATED' })
  })

  for (const [what, claims] of [
    ['no tenant', { tenant: undefined }],
    ['no contents', { contentIds: undefined }],
    ['contents that are no list', { contentIds: 'movie' }],
    ['contents that are no texts', { contentIds: [1] }],
    ['kids that are none', { kids: ['nonsense'] }],
    ['kids that are no list', { kids: kid }],
  ] as const) {
    test(`are rejected with ${what}`, async () => {
      const payload = {
        tenant: 'studio',
        contentIds: ['movie'],
        aud: PLAYER_AUDIENCE,
        exp: NOW / 1_000 + 60,
        ...claims,
      }
      const token = await new SignJWT(payload).setProtectedHeader({ alg: 'HS256', kid: 'HS256' }).sign(secret)
      await assert.rejects(make().verify(token), refused('malformed'))
    })
  }

  test('of another audience or without an expiry are rejected', async () => {
    const other = await mintPlayerToken(signing('HS256'), grant, NOW, 'keyspring')
    await assert.rejects(make().verify(other), refused('mismatch'))
    const endless = await new SignJWT({ tenant: 'studio', contentIds: ['*'], aud: PLAYER_AUDIENCE })
      .setProtectedHeader({ alg: 'HS256', kid: 'HS256' })
      .sign(secret)
    await assert.rejects(make().verify(endless), refused('mismatch'))
  })

  test('are checked only with keys that fit their algorithm', () => {
    for (const key of [
      { id: 'a', algorithm: 'HS256', key: createSecretKey(randomBytes(16)) },
      { id: 'a', algorithm: 'HS256', key: rsa.publicKey },
      { id: 'a', algorithm: 'EdDSA', key: rsa.publicKey },
      { id: 'a', algorithm: 'RS256', key: ed.publicKey },
      { id: 'a', algorithm: 'RS256', key: rsa.privateKey },
      { id: 'a', algorithm: 'RS256', key: generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey },
    ] as const) {
      assert.throws(() => createPlayerTokens({ keys: [key], now: () => NOW }), { code: 'ERR_CONFIG_INVALID' })
    }
  })
})

test('a grant covers its tenant, contents and kids only', () => {
  const here = { tenant: 'studio', contentId: 'movie-1' }
  assert.ok(grantCovers(grant, here))
  assert.ok(grantCovers(grant, here, kid))
  assert.ok(grantCovers({ ...grant, kids: undefined }, here, otherKid))
  assert.equal(grantCovers(grant, here, otherKid), false)
  assert.equal(grantCovers(grant, { ...here, tenant: 'other' }), false)
  assert.equal(grantCovers(grant, { ...here, contentId: 'show-1' }), false)
})

describe('player tokens by a published key set', () => {
  const url = new URL('https://issuer.example/jwks.json')
  const published = [
    { ...ed.publicKey.export({ format: 'jwk' }), kid: 'EdDSA', alg: 'EdDSA' },
    { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'RS256', alg: 'RS256' },
    // Nobody should publish a secret; one that does gives no tokens.
    { ...secret.export({ format: 'jwk' }), kid: 'HS256', alg: 'HS256' },
  ]
  const serving = (answer: () => Response, now = () => NOW) =>
    createPlayerTokens({ keys: [], jwks: url, fetch: async () => answer(), now })
  const tokens = serving(() => Response.json({ keys: published }))

  for (const algorithm of ['EdDSA', 'RS256'] as const) {
    test(`grant by ${algorithm} what was minted`, async () => {
      const token = await mintPlayerToken(signing(algorithm), grant, NOW)
      assert.deepEqual(await tokens.verify(token), grant)
    })
  }

  test('are not taken by a secret, though one is published', async () => {
    const token = await mintPlayerToken(signing('HS256'), grant, NOW)
    await assert.rejects(async () => tokens.verify(token), refused('mismatch'))
  })

  test('are not decided while the key set cannot be read', async () => {
    const away = serving(() => new Response('', { status: 500 }))
    const token = await mintPlayerToken(signing('EdDSA'), grant, NOW)
    await assert.rejects(async () => away.verify(token), { code: 'ERR_JWKS_UNAVAILABLE' })
  })

  test('need one look at the key set for many requests', async () => {
    let time = NOW
    let asked = 0
    const counting = serving(
      () => {
        asked++
        return Response.json({ keys: published })
      },
      () => time,
    )
    const token = await mintPlayerToken(signing('EdDSA'), { ...grant, expiresAt: NOW + 3_600_000 }, NOW)
    await counting.verify(token)
    time += 299_000
    await counting.verify(token)
    assert.equal(asked, 1)
  })

  test('want https, but for a key set of this machine', () => {
    const at = (address: string) => () => createPlayerTokens({ keys: [], jwks: new URL(address), now: () => NOW })
    assert.throws(at('http://issuer.example/jwks.json'), { code: 'ERR_CONFIG_INVALID' })
    assert.doesNotThrow(at('http://127.0.0.1:9/jwks.json'))
  })
})
