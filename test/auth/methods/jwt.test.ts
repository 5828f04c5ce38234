import assert from 'node:assert/strict'
import { createHmac, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, test } from 'node:test'
import { exportJWK, type FetchImplementation, SignJWT } from 'jose'
import type { Credential } from '../../../src/auth/credentials/credential.ts'
import { jwt } from '../../../src/auth/methods/jwt.ts'
import { directoryOf, ENCODER, flips, NOW, presenting, refuses, verified } from '../presenting.ts'

const issuer = 'https://issuer.example'
const audience = 'keyspring'
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed = generateKeyPairSync('ed25519')
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pairs = { RS256: rsa, EdDSA: ed, ES256: ec } as const
const jwks = {
  keys: await Promise.all(
    Object.entries(pairs).map(async ([alg, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid: alg, alg })),
  ),
}
const credential: Credential = { method: 'jwt', id: 'encoder-7', issuer }

async function make(options: Partial<Parameters<typeof jwt>[0]> = {}) {
  let time = NOW
  const method = await jwt({ clients: directoryOf(credential), jwks, issuer, audience, now: () => time, ...options })
  return {
    method,
    wait: (ms: number) => {
      time += ms
    },
  }
}

interface Claims {
  readonly alg?: string
  readonly kid?: string
  readonly key?: KeyObject
  readonly payload?: Readonly<Record<string, unknown>>
}

const CLAIMS = { sub: 'encoder-7', iss: issuer, aud: audience, exp: NOW / 1_000 + 60 }

function minted({ alg = 'RS256', kid = alg, key = rsa.privateKey, payload = {} }: Claims = {}): Promise<string> {
  return new SignJWT({ ...CLAIMS, ...payload }).setProtectedHeader({ alg, kid }).sign(key)
}

const bearing = (token: string) => presenting({ authorization: `Bearer ${token}` })

describe('jwt', () => {
  for (const [alg, { privateKey }] of Object.entries(pairs)) {
    test(`accepts a token by ${alg}, twice`, async () => {
      const { method } = await make()
      const token = await minted({ alg, key: privateKey })
      for (const _ of [1, 2]) assert.equal(await verified(method, bearing(token)), ENCODER)
    })
  }

  for (const [what, payload, reason] of [
    ['of another audience', { aud: 'other' }, 'mismatch'],
    ['without an audience', { aud: undefined }, 'mismatch'],
    ['of another issuer', { iss: 'https://other.example' }, 'mismatch'],
    ['without an issuer', { iss: undefined }, 'mismatch'],
    ['that has expired', { exp: NOW / 1_000 - 31 }, 'expired'],
    ['that never expires', { exp: undefined }, 'mismatch'],
    ['that is not valid yet', { nbf: NOW / 1_000 + 31 }, 'not-yet-valid'],
    ['of a client that is not configured', { sub: 'nobody' }, 'unknown'],
    ['without the claim that names the client', { sub: undefined }, 'malformed'],
    ['whose claim is no text', { sub: 7 }, 'malformed'],
  ] as const) {
    test(`rejects a token ${what}`, async () => {
      await refuses((await make()).method, bearing(await minted({ payload })), reason)
    })
  }

  test('rejects alg none', async () => {
    const header = Buffer.from('{"alg":"none"}').toString('base64url')
    const payload = Buffer.from(JSON.stringify(CLAIMS)).toString('base64url')
    const method = (await make()).method
    assert.ok(method.recognizes(bearing(`${header}.${payload}.`)))
    await refuses(method, bearing(`${header}.${payload}.`), 'mismatch', 'malformed')
  })

  test('rejects the public key used as the secret of HS256', async () => {
    const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' })
    const signing = `${Buffer.from('{"alg":"HS256","kid":"RS256"}').toString('base64url')}.${Buffer.from(JSON.stringify(CLAIMS)).toString('base64url')}`
    const forged = `${signing}.${createHmac('sha256', pem).update(signing).digest('base64url')}`
    await refuses((await make()).method, bearing(forged), 'mismatch')
  })

  test('rejects a symmetric key even where the key set has one', async () => {
    const secret = createSecretKey(Buffer.alloc(32, 7))
    const withSecret = { keys: [...jwks.keys, { ...(await exportJWK(secret)), kid: 'HS256', alg: 'HS256' }] }
    await refuses(
      (await make({ jwks: withSecret })).method,
      bearing(await minted({ alg: 'HS256', key: secret })),
      'mismatch',
    )
  })

  test('rejects an algorithm that is not listed, and a key that is not in the set', async () => {
    await refuses((await make({ algorithms: ['EdDSA'] })).method, bearing(await minted()), 'mismatch')
    await refuses((await make()).method, bearing(await minted({ kid: 'unheard of' })), 'unknown')
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await refuses((await make()).method, bearing(await minted({ key: other.privateKey })), 'mismatch')
  })

  test('rejects a token with any character changed', async () => {
    const { method } = await make()
    const token = await minted({ alg: 'EdDSA', key: ed.privateKey })
    for (const changed of flips(token)) {
      // The last of 86 characters has bits that stand for nothing: only the same bytes may pass.
      if (sameSignature(changed, token)) continue
      if (method.recognizes(bearing(changed))) {
        await refuses(method, bearing(changed), 'malformed', 'mismatch', 'unknown', 'expired')
      }
    }
  })

  test('a token that was verified is rejected when it has expired', async () => {
    const { method, wait } = await make()
    const token = await minted()
    await verified(method, bearing(token))
    wait(60_000 + 30_000)
    await refuses(method, bearing(token), 'expired')
  })

  test('a credential of another issuer is another credential', async () => {
    const clients = directoryOf({ ...credential, issuer: 'https://other.example' })
    await refuses((await make({ clients })).method, bearing(await minted()), 'unknown')
  })

  test('reads the client from the configured claim', async () => {
    const { method } = await make({ clientClaim: 'azp' })
    assert.equal(await verified(method, bearing(await minted({ payload: { sub: 'x', azp: 'encoder-7' } }))), ENCODER)
  })

  test('rejects a very long token unread', async () => {
    await refuses((await make()).method, bearing(`${'a'.repeat(9_000)}.b.c`), 'malformed')
  })
})

describe('a key set at a URL', () => {
  const url = new URL('https://issuer.example/jwks')

  test('is fetched once', async () => {
    let fetched = 0
    const fetch: FetchImplementation = async () => {
      fetched++
      return Response.json(jwks)
    }
    const { method } = await make({ jwks: url, fetch })
    for (const exp of [60, 61, 62]) {
      await verified(method, bearing(await minted({ payload: { exp: NOW / 1_000 + exp } })))
    }
    assert.equal(fetched, 1)
  })

  for (const [what, fetch] of [
    ['cannot be reached', async () => Promise.reject(new TypeError('fetch failed'))],
    ['answers 500', async () => new Response('', { status: 500 })],
    ['redirects', async () => new Response('', { status: 302, headers: { location: 'http://169.254.169.254/' } })],
    ['holds no key set', async () => Response.json({ keys: 1 })],
  ] as const) {
    test(`that ${what} is a failure of ours, not of the caller`, async () => {
      const { method } = await make({ jwks: url, fetch })
      await assert.rejects(async () => method.verify(bearing(await minted())), { code: 'ERR_JWKS_UNAVAILABLE' })
    })
  }

  test('must be https, or on this machine', async () => {
    await assert.rejects(make({ jwks: new URL('http://issuer.example/jwks') }), { code: 'ERR_CONFIG_INVALID' })
    await assert.rejects(make({ jwks: new URL('file:///etc/jwks') }), { code: 'ERR_CONFIG_INVALID' })
    await make({ jwks: new URL('http://127.0.0.1:9/jwks') })
  })
})

function sameSignature(one: string, other: string): boolean {
  const [a, b] = [one, other].map((token) => token.split('.'))
  const bytes = (part: string | undefined) => Buffer.from(part ?? '', 'base64url').toString('hex')
  return a?.[0] === b?.[0] && a?.[1] === b?.[1] && bytes(a?.[2]) === bytes(b?.[2])
}
