import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { Authenticator } from '../../src/auth/authenticate.ts'
import { createClientDirectory } from '../../src/auth/clients/directory.ts'
import { AuthenticationError } from '../../src/auth/failure.ts'
import { basic } from '../../src/auth/methods/basic.ts'
import { bearerToken } from '../../src/auth/methods/bearer-token.ts'
import { digest } from '../../src/auth/methods/digest.ts'
import { digestSecret } from '../../src/auth/methods/digest-secret.ts'
import { mtls } from '../../src/auth/methods/mtls.ts'
import { sigV4 } from '../../src/auth/methods/sigv4.ts'
import { signSigV4 } from '../../src/auth/methods/sigv4-sign.ts'
import type { Presented } from '../../src/auth/presented.ts'
import { everything } from './everything.ts'
import { certificateOf, now, presenting } from './presenting.ts'

const all = await everything(now)
const { authenticate } = all
const BODY = '<cpix:CPIX/>'
const basicOf = (password: string) => `Basic ${Buffer.from(`encoder:${password}`).toString('base64')}`
const byGateway = { 'x-gateway-secret': all.gatewaySecret, 'x-speke-caller-arn': all.arn }
const clientCertificate = certificateOf({ fingerprint256: all.fingerprint })

function bySigV4(): Presented {
  const given = presenting()
  const signed = signSigV4(
    { method: given.method, rawPath: given.rawPath, headers: { host: 'keys.example' }, body: BODY },
    all.accessKey,
    { region: 'eu-west-1', service: 'execute-api' },
    now(),
  )
  return presenting(signed)
}

async function failure(presented: Presented): Promise<AuthenticationError> {
  const error: unknown = await (async () => authenticate(presented))().catch((reason: unknown) => reason)
  assert.ok(error instanceof AuthenticationError, inspect(error))
  return error
}

describe('Authenticator', () => {
  for (const [method, given] of [
    ['token', presenting({ 'x-api-key': all.token })],
    ['jwt', presenting({ authorization: `Bearer ${all.jwt}` })],
    ['basic', presenting({ authorization: basicOf(all.password) })],
    ['sigv4', bySigV4()],
    ['gateway', presenting(byGateway)],
    ['certificate', presenting({}, { clientCertificate })],
  ] as const) {
    test(`asks the one method that is presented: ${method}`, async () => {
      const { client, method: asked } = await authenticate(given)
      assert.deepEqual([client.name, asked], [`by ${method}`, method])
    })
  }

  test('a gateway that proved itself speaks for its caller, whatever else it passes on', async () => {
    const { client } = await authenticate(presenting({ ...byGateway, ...bySigV4().headers }, { clientCertificate }))
    assert.equal(client.name, 'by gateway')
  })

  test('a credential in the request goes before the certificate of the connection', async () => {
    const { client } = await authenticate(presenting({ 'api-key': all.token }, { clientCertificate }))
    assert.equal(client.name, 'by token')
  })

  test('a wrong credential is rejected although the certificate is right', async () => {
    const error = await failure(presenting({ 'api-key': `${all.token}A` }, { clientCertificate }))
    assert.deepEqual([error.method, error.reason], ['token', 'mismatch'])
  })

  test('rejects two credentials at once, also of the same client', async () => {
    const both = presenting({ authorization: basicOf(all.password), 'x-api-key': all.token })
    assert.equal((await failure(both)).reason, 'ambiguous')
    const rawHeaders = ['Authorization', basicOf(all.password), 'authorization', `Bearer ${all.token}`]
    const twice = presenting({ authorization: basicOf(all.password) }, { rawHeaders })
    assert.equal((await failure(twice)).reason, 'ambiguous')
  })

  test('offers every method with a challenge, the strongest first and each once', async () => {
    const { reason, challenges } = await failure(presenting())
    assert.equal(reason, 'missing')
    const schemes = challenges.map((challenge) => challenge.replace(/nonce="[\w-]{40}"/, 'nonce=…'))
    assert.deepEqual(schemes, [
      'Bearer realm="keyspring"',
      'AWS4-HMAC-SHA256 realm="keyspring"',
      'Digest realm="keyspring", qop="auth", algorithm=SHA-256, nonce=…',
      'Digest realm="keyspring", qop="auth", algorithm=MD5, nonce=…',
      'Basic realm="keyspring", charset="UTF-8"',
    ])
  })

  test('offers no Basic in the clear', async () => {
    const { challenges } = await failure(presenting({}, { secure: false }))
    assert.ok(!challenges.some((challenge) => challenge.startsWith('Basic')))
  })

  test('identity headers of a gateway without its proof are nobody', async () => {
    assert.equal((await failure(presenting({ 'x-speke-caller-arn': all.arn }))).reason, 'missing')
  })

  test('passes on an error that is no AuthenticationError', async () => {
    const broken = new Authenticator([
      {
        name: 'broken',
        place: 'request',
        recognizes: () => true,
        verify: () => {
          throw new RangeError('broken')
        },
      },
    ])
    assert.throws(() => broken.authenticate(presenting()), RangeError)
  })

  test('with no clients configured every method rejects all that is presented', async () => {
    const clients = createClientDirectory()
    const nobody = new Authenticator([
      bearerToken({ clients, now }),
      sigV4({ clients, secrets: all.secrets, now }),
      digest({
        clients,
        secrets: all.secrets,
        nonceKey: createSecretKey(randomBytes(32)),
        realm: all.realm,
        now,
        randomBytes,
      }),
      basic({ clients, now, randomBytes, realm: all.realm }),
      mtls({ clients, now }),
    ])
    const zeroes = 'ks_0000000000000000_0000000000000000000000000000000000000000000'
    for (const given of [
      presenting({ 'x-api-key': zeroes }),
      presenting({ authorization: basicOf('') }),
      bySigV4(),
      presenting({}, { clientCertificate }),
    ]) {
      await assert.rejects(async () => nobody.authenticate(given), { code: 'ERR_UNAUTHENTICATED', reason: 'unknown' })
    }
  })
})

describe('no secret is shown', () => {
  const ha1 = digestSecret('encoder', all.realm, all.password)
  const bytes = [
    all.password,
    all.token,
    all.token.split('_').slice(2).join('_'),
    all.jwt,
    all.gatewaySecret,
    all.accessKey.secretAccessKey.reveal(),
    basicOf(all.password).slice(6),
    ha1.MD5,
    ha1['SHA-256'],
  ].map((text) => Buffer.from(text))
  const canaries = bytes.flatMap((one) => [
    one.toString('utf8'),
    one.toString('hex'),
    one.toString('base64'),
    one.toString('base64url'),
    inspect(one).slice(8, 60),
  ])

  const assertSilent = (what: unknown) => {
    for (const printed of [
      inspect(what, { depth: 9, showHidden: true, maxArrayLength: null }),
      JSON.stringify(what),
      String(what),
    ]) {
      for (const canary of canaries) assert.ok(!printed?.includes(canary), `${canary} is in ${printed}`)
    }
  }

  test('the test finds one where there is one', () => {
    assert.throws(() => assertSilent({ deep: { password: all.password } }), /is in/)
    assert.throws(() => assertSilent([Buffer.from(all.password)]), /is in/)
  })

  test('by what is configured, opened or not', async () => {
    await authenticate(presenting({ authorization: basicOf(all.password) }))
    await authenticate(bySigV4())
    for (const what of [all.registered, all.methods, all.clients, all.secrets, all.accessKey, authenticate]) {
      assertSilent(what)
    }
  })

  test('by any error, whatever is wrong with the credential', async () => {
    const signed = bySigV4()
    for (const given of [
      presenting({ 'x-api-key': `${all.token}x` }),
      presenting({ 'x-api-key': all.token, 'api-key': all.token }),
      presenting({ authorization: `Bearer ${all.jwt}x` }),
      presenting({ authorization: `Bearer ${all.jwt.replace('.', '..')}` }),
      presenting({ authorization: basicOf(`${all.password}x`) }),
      presenting({ authorization: basicOf(all.password) }, { secure: false }),
      presenting({ authorization: `Basic ${all.password}` }),
      presenting({ authorization: `Digest username="encoder", response="${all.password}"` }),
      presenting({ 'x-gateway-secret': `${all.gatewaySecret}x` }),
      presenting({ 'x-gateway-secret': all.gatewaySecret, 'x-speke-caller-arn': all.password }),
      { ...signed, body: async () => Buffer.from(all.password) },
    ]) {
      const error = await failure(given)
      assertSilent(error)
      assert.equal(error.cause, undefined)
    }
  })
})
