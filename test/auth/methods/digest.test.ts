import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { DigestCredential } from '../../../src/auth/credentials/credential.ts'
import { readAuthParams } from '../../../src/auth/methods/auth-params.ts'
import { digest } from '../../../src/auth/methods/digest.ts'
import { DigestNonces } from '../../../src/auth/methods/digest-nonces.ts'
import {
  type DigestAlgorithm,
  decodeDigestSecret,
  digestResponse,
  digestSecret,
  encodeDigestSecret,
} from '../../../src/auth/methods/digest-secret.ts'
import type { Presented } from '../../../src/auth/presented.ts'
import { directoryOf, ENCODER, flips, NOW, presenting, refuses, testSecrets, verified } from '../presenting.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly algorithm: DigestAlgorithm
  readonly username: string
  readonly realm: string
  readonly password: string
  readonly method: string
  readonly uri: string
  readonly nonce: string
  readonly nc: string
  readonly cnonce: string
  readonly response: string
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/digest.json', import.meta.url), 'utf8')) as Vector[]

for (const { name, origin, username, realm, password, response, ...input } of vectors) {
  test(`answers as published: ${name} (${origin})`, () => {
    const ha1 = digestSecret(username, realm, password)[input.algorithm]
    assert.equal(digestResponse({ ...input, ha1 }), response)
  })
}

test('decodeDigestSecret inverts encodeDigestSecret', () => {
  const secret = digestSecret('a', 'b', 'c')
  assert.deepEqual(decodeDigestSecret(encodeDigestSecret(secret)), secret)
})

const realm = 'keyspring'
const secrets = testSecrets()
const PASSWORD = 'Circle of Life'
const id = 'live-encoder'
const sealed = await secrets.seal(
  ENCODER.tenant,
  { method: 'digest', id },
  encodeDigestSecret(digestSecret(id, realm, PASSWORD)),
)
const credential: DigestCredential = { method: 'digest', id, realm, sealed }
const nonceKey = createSecretKey(randomBytes(32))

function make(options: Partial<Parameters<typeof digest>[0]> = {}) {
  let time = NOW
  const method = digest({
    clients: directoryOf(credential),
    secrets,
    nonceKey,
    realm,
    now: () => time,
    randomBytes,
    ...options,
  })
  return {
    method,
    wait: (ms: number) => {
      time += ms
    },
  }
}

interface Answering {
  readonly algorithm?: DigestAlgorithm
  readonly nc?: string
  readonly user?: string
  readonly password?: string
  readonly uri?: string
  readonly signedMethod?: string
}

/** A request that answers the challenge of `nonce` as a client would. */
function answering(nonce: string, answer: Answering = {}): Presented {
  const { algorithm = 'SHA-256', nc = '00000001', user = id, password = PASSWORD } = answer
  const { uri = '/copyProtection', signedMethod = 'POST' } = answer
  const ha1 = digestSecret(user, realm, password)[algorithm]
  const response = digestResponse({ algorithm, ha1, method: signedMethod, uri, nonce, nc, cnonce: 'abc' })
  return presenting({
    authorization: `Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", cnonce="abc", nc=${nc}, qop=auth, response="${response}", algorithm=${algorithm}`,
  })
}

function nonceOf(challenges: readonly string[] | undefined): string {
  const nonce = readAuthParams(challenges?.[0]?.replace(/^Digest /, '') ?? '')?.get('nonce')
  return nonce ?? assert.fail('no nonce in the challenge')
}

const challenged = ({ method }: ReturnType<typeof make>) => nonceOf(method.challenges?.(presenting()))

describe('digest', () => {
  test('offers SHA-256 before MD5, with one nonce', () => {
    const challenges = make().method.challenges?.(presenting()) ?? []
    const nonce = nonceOf(challenges)
    assert.deepEqual(challenges, [
      `Digest realm="keyspring", qop="auth", algorithm=SHA-256, nonce="${nonce}"`,
      `Digest realm="keyspring", qop="auth", algorithm=MD5, nonce="${nonce}"`,
    ])
  })

  for (const algorithm of ['SHA-256', 'MD5'] as const) {
    test(`accepts the right answer by ${algorithm}`, async () => {
      const made = make()
      assert.equal(await verified(made.method, answering(challenged(made), { algorithm })), ENCODER)
    })
  }

  test('accepts the nonce of another node that has the same key', async () => {
    assert.equal(await verified(make().method, answering(challenged(make()))), ENCODER)
  })

  test('without an algorithm the answer is by MD5, and parameters may be quoted, as RFC 2617 clients do', async () => {
    const made = make()
    const given = answering(challenged(made), { algorithm: 'MD5' })
    const authorization = String(given.headers.authorization)
      .replace(', algorithm=MD5', '')
      .replace('qop=auth', 'qop="auth"')
    assert.equal(await verified(made.method, presenting({ authorization })), ENCODER)
  })

  test('rejects a wrong password, an unknown user and a user of another realm', async () => {
    const made = make()
    const nonce = challenged(made)
    await refuses(made.method, answering(nonce, { password: 'Circle Of Life' }), 'mismatch')
    await refuses(made.method, answering(nonce, { user: 'nobody' }), 'unknown')
    const moved = make({ clients: directoryOf({ ...credential, realm: 'other' }) })
    await refuses(moved.method, answering(nonce), 'unknown')
  })

  test('rejects an answer that was made for another path or method', async () => {
    const made = make()
    const nonce = challenged(made)
    await refuses(made.method, answering(nonce, { uri: '/other' }), 'malformed')
    await refuses(made.method, answering(nonce, { signedMethod: 'GET' }), 'mismatch')
  })

  test('rejects an algorithm that is not offered', async () => {
    const made = make({ algorithms: ['SHA-256'] })
    await refuses(made.method, answering(challenged(made), { algorithm: 'MD5' }), 'malformed')
  })

  test('rejects an answer with any character of a value changed', async () => {
    const made = make()
    const given = String(answering(challenged(made)).headers.authorization)
    for (const name of ['username', 'realm', 'nonce', 'uri', 'cnonce', 'nc', 'qop', 'response']) {
      const value = new RegExp(`${name}="?([^",]+)`).exec(given)?.[1] ?? assert.fail(name)
      for (const changed of flips(value)) {
        const authorization = given.replace(new RegExp(`(\\b${name}="?)[^",]+`), (_, head) => head + changed)
        const reasons = ['unknown', 'malformed', 'mismatch'] as const
        await refuses(made.method, presenting({ authorization }), ...reasons)
      }
    }
    await verified(made.method, presenting({ authorization: given }))
  })

  test('rejects what lacks a parameter, or has one twice', async () => {
    const made = make()
    const given = String(answering(challenged(made)).headers.authorization)
    for (const name of ['username', 'realm', 'nonce', 'uri', 'cnonce', 'nc', 'qop', 'response']) {
      const without = given.replace(new RegExp(`(?<= |, )${name}="?[^",]+"?(?:, )?`), '')
      assert.notEqual(without, given)
      await refuses(made.method, presenting({ authorization: without }), 'malformed')
    }
    await refuses(made.method, presenting({ authorization: `${given}, nc=00000001` }), 'malformed')
  })

  test('an old nonce is stale when the answer is right, and only then', async () => {
    const made = make()
    const nonce = challenged(made)
    made.wait(60_001)
    await refuses(made.method, answering(nonce), 'stale')
    await refuses(made.method, answering(nonce, { password: 'guess' }), 'mismatch')
    for (const challenge of made.method.challenges?.(presenting(), 'stale') ?? []) {
      assert.match(challenge, /, stale=true$/)
    }
    for (const challenge of made.method.challenges?.(presenting(), 'mismatch') ?? []) {
      assert.doesNotMatch(challenge, /stale/)
    }
  })

  test('a nonce that no node of ours made is stale', async () => {
    const foreign = make({ nonceKey: createSecretKey(randomBytes(32)) })
    await refuses(make().method, answering(challenged(foreign)), 'stale')
    await refuses(make().method, answering('dcd98b7102dd2f0e8b11d0f600bfb0c093'), 'stale')
  })

  test('accepts each count of a nonce once', async () => {
    const made = make()
    const nonce = challenged(made)
    await verified(made.method, answering(nonce, { nc: '00000001' }))
    await refuses(made.method, answering(nonce, { nc: '00000001' }), 'replayed')
    await verified(made.method, answering(nonce, { nc: '00000002' }))
    await refuses(made.method, answering(nonce, { nc: '00000001' }), 'replayed')
  })

  test('an answer that is wrong uses up no count', async () => {
    const made = make()
    const nonce = challenged(made)
    await refuses(made.method, answering(nonce, { password: 'guess' }), 'mismatch')
    await verified(made.method, answering(nonce))
  })

  test('a secret that was sealed for another credential does not open', async () => {
    const moved = make({ clients: directoryOf({ ...credential, id: 'other' }) })
    await assert.rejects(async () => moved.method.verify(answering(challenged(moved), { user: 'other' })), {
      code: 'ERR_SEAL_BROKEN',
    })
  })
})

describe('DigestNonces', () => {
  const nonces = (maxFollowed = 100) => {
    let time = NOW
    const made = new DigestNonces({
      key: nonceKey,
      realm,
      now: () => time,
      randomBytes,
      lifetimeMs: 60_000,
      maxFollowed,
    })
    return {
      issue: () => made.issue(),
      use: (nonce: string, count: number) => made.use(nonce, count),
      tick: () => time++,
    }
  }

  test('accepts counts out of order, each once, and none that is far behind', () => {
    const { issue, use } = nonces()
    const nonce = issue()
    const uses = [5, 3, 4, 3, 5, 40, 9, 8, 41, 40, 39].map((count) => use(nonce, count))
    const fresh = [true, true, true, false, false, true, true, false, true, false, true]
    assert.deepEqual(
      uses,
      fresh.map((one) => (one ? 'fresh' : 'replayed')),
    )
  })

  test('every count of a window is accepted once, in any order', () => {
    const { issue, use } = nonces()
    const nonce = issue()
    const counts = Array.from({ length: 31 }, (_, at) => ((at * 7) % 31) + 1)
    assert.ok([32, ...counts].every((count) => use(nonce, count) === 'fresh'))
    assert.ok([32, ...counts].every((count) => use(nonce, count) === 'replayed'))
  })

  test('a nonce that it can no longer follow becomes stale, never open to replay', () => {
    const { issue, use, tick } = nonces(3)
    const issued = Array.from({ length: 5 }, () => {
      tick()
      return issue()
    })
    for (const nonce of issued) assert.equal(use(nonce, 1), 'fresh')
    const again = issued.map((nonce) => use(nonce, 1))
    assert.deepEqual(again, ['stale', 'stale', 'replayed', 'replayed', 'replayed'])
  })

  test('rejects a nonce with any character changed, and one from the future', () => {
    const { issue, use } = nonces()
    for (const changed of flips(issue())) assert.equal(use(changed, 1), 'stale')
    const ahead = new DigestNonces({
      key: nonceKey,
      realm,
      now: () => NOW + 6_000,
      randomBytes,
      lifetimeMs: 60_000,
      maxFollowed: 9,
    })
    assert.equal(use(ahead.issue(), 1), 'stale')
  })
})

describe('readAuthParams', () => {
  test('reads tokens, quoted text and escapes', () => {
    assert.deepEqual(
      readAuthParams('a=1,B = "x, \\"y\\"" ,c=""'),
      new Map(Object.entries({ a: '1', b: 'x, "y"', c: '' })),
    )
  })

  test('rejects what is malformed', () => {
    for (const text of ['a', 'a=', '=1', 'a=1 b=2', 'a="1', 'a=1,A=2', 'a="1"2', ',a=1']) {
      assert.equal(readAuthParams(text), undefined, text)
    }
  })
})
