import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import type { SigV4Credential } from '../../../src/auth/credentials/credential.ts'
import { canonicalForms, issueAccessKey, sigV4 } from '../../../src/auth/methods/sigv4.ts'
import { encodePath, sha256Hex, sortQuery } from '../../../src/auth/methods/sigv4-canonical.ts'
import { signSigV4 } from '../../../src/auth/methods/sigv4-sign.ts'
import type { Presented } from '../../../src/auth/presented.ts'
import { Secret } from '../../../src/core/secret.ts'
import { directoryOf, ENCODER, flips, NOW, now, presenting, refuses, testSecrets, verified } from '../presenting.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly method: string
  readonly rawPath: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly signature: string
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/sigv4.json', import.meta.url), 'utf8')) as Vector[]
const secrets = testSecrets()

async function credentialOf(id: string, secretAccessKey: string): Promise<SigV4Credential> {
  const sealed = await secrets.seal(ENCODER.tenant, { method: 'sigv4', id }, Buffer.from(secretAccessKey))
  return { method: 'sigv4', id, sealed }
}

const exampleKey = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
}
const exampleClients = directoryOf(await credentialOf('AKIDEXAMPLE', exampleKey.secretAccessKey.reveal()))
const EXAMPLE_NOW = Date.parse('2015-08-30T12:36:00Z')

describe('the signing test suite of AWS', () => {
  const method = sigV4({ clients: exampleClients, secrets, now: () => EXAMPLE_NOW, service: 'service' })
  for (const vector of vectors) {
    const { name, origin, rawPath, headers, body, signature } = vector
    const names = Object.keys(headers).sort().join(';')
    const authorization = `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${names}, Signature=${signature}`
    const given = presenting(
      { ...headers, authorization },
      { method: vector.method, rawPath, body: async () => Buffer.from(body) },
    )

    test(`verifies ${name} (${origin})`, async () => assert.equal(await verified(method, given), ENCODER))

    // The suite encodes a path once and the services of AWS twice: they differ where something is encoded.
    if (rawPath.split('?')[0]?.includes('%') === false) {
      test(`signs ${name} to the published signature`, () => {
        const { 'x-amz-date': _date, 'x-amz-security-token': token, ...toSign } = headers
        const sessionToken = token === undefined ? undefined : new Secret(token)
        const request = { method: vector.method, rawPath, headers: toSign, body }
        const signed = signSigV4(
          request,
          { ...exampleKey, sessionToken },
          { region: 'us-east-1', service: 'service' },
          EXAMPLE_NOW,
        )
        assert.equal(signed.authorization, authorization)
      })
    }
  }

  test('rejects get-header-key-duplicate, which AWS takes: one of the values would be a guess', async () => {
    const authorization =
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea'
    const rawHeaders = [
      'Host',
      'example.amazonaws.com',
      'My-Header1',
      'value2',
      'My-Header1',
      'value2',
      'My-Header1',
      'value1',
    ]
    const headers = {
      host: 'example.amazonaws.com',
      'my-header1': 'value2, value2, value1',
      'x-amz-date': '20150830T123600Z',
      authorization,
    }
    await refuses(
      method,
      presenting(headers, { method: 'GET', rawPath: '/', body: async () => Buffer.of(), rawHeaders }),
      'ambiguous',
    )
  })
})

const issued = issueAccessKey(randomBytes)
const id = issued.accessKeyId
const credential = await credentialOf(id, issued.secretAccessKey.reveal())
const make = (options: Partial<Parameters<typeof sigV4>[0]> = {}) =>
  sigV4({ clients: directoryOf(credential), secrets, now, ...options })
const scope = { region: 'eu-west-1', service: 'execute-api' }
const BODY = '<cpix:CPIX/>'

function signed(
  request: Partial<Parameters<typeof signSigV4>[0]> = {},
  at = NOW,
  used = issued,
  signedScope = scope,
): Presented {
  const whole: Parameters<typeof signSigV4>[0] = {
    method: 'POST',
    rawPath: '/copyProtection',
    headers: { host: 'keys.example', 'content-type': 'application/xml' },
    body: BODY,
    ...request,
  }
  const headers = { ...whole.headers, ...signSigV4(whole, used, signedScope, at) }
  return presenting(headers, {
    method: whole.method,
    rawPath: whole.rawPath,
    body: async () => Buffer.from(whole.body),
  })
}

describe('sigV4', () => {
  for (const rawPath of [
    '/copyProtection',
    '/a%20b/%E1%88%B4?b=2&a=1&a=0',
    '/a%2520b',
    "/a:b@c!$&'()*+,;=~?x=a:b",
    '/?a',
  ]) {
    test(`accepts what signSigV4 signs: ${rawPath}`, async () => {
      assert.equal(await verified(make(), signed({ rawPath })), ENCODER)
    })
  }

  test('accepts what @smithy/signature-v4 signs', async () => {
    const signer = new SignatureV4({
      ...scope,
      sha256: Sha256,
      credentials: { accessKeyId: id, secretAccessKey: issued.secretAccessKey.reveal() },
    })
    for (const [path, query, rawQuery] of [
      ['/copyProtection', {}, ''],
      ['/speke%20v2/%E1%88%B4', { b: '2', a: 'x y' }, '?b=2&a=x%20y'],
    ] as const) {
      const { headers } = await signer.sign(
        {
          method: 'POST',
          protocol: 'https:',
          hostname: 'keys.example',
          path,
          query: { ...query },
          headers: { host: 'keys.example', 'content-type': 'application/xml' },
          body: BODY,
        },
        { signingDate: new Date(NOW) },
      )
      const given = presenting(headers, { rawPath: path + rawQuery, body: async () => Buffer.from(BODY) })
      assert.equal(await verified(make(), given), ENCODER)
    }
  })

  test('rejects an Authorization with any character of a value changed', async () => {
    const given = signed()
    const authorization = String(given.headers.authorization)
    for (const name of ['Credential', 'SignedHeaders', 'Signature']) {
      const value = new RegExp(`${name}=([^, ]+)`).exec(authorization)?.[1] ?? assert.fail(name)
      for (const changed of flips(value)) {
        const headers = { ...given.headers, authorization: authorization.replace(value, () => changed) }
        await refuses(make(), { ...given, headers }, 'malformed', 'unknown', 'mismatch')
      }
    }
  })

  const TIME_OR_MISMATCH = ['mismatch', 'malformed', 'expired', 'not-yet-valid'] as const

  test('rejects a request with any byte of body, path or a signed header changed', async () => {
    const method = make()
    const given = signed()
    for (const changed of flips(BODY))
      await refuses(method, { ...given, body: async () => Buffer.from(changed) }, 'mismatch')
    for (const rawPath of flips(given.rawPath)) await refuses(method, { ...given, rawPath }, 'mismatch')
    for (const name of ['host', 'content-type', 'x-amz-date']) {
      for (const changed of flips(String(given.headers[name]))) {
        // A value is signed without the spaces around it.
        if (changed.trim() === given.headers[name]) continue
        await refuses(method, { ...given, headers: { ...given.headers, [name]: changed } }, ...TIME_OR_MISMATCH)
      }
    }
    await refuses(method, { ...given, method: 'PUT' }, 'mismatch')
    await refuses(method, { ...given, rawPath: `${given.rawPath}?a=b` }, 'mismatch')
  })

  test('checks the body whether or not its hash is given', async () => {
    const hash = sha256Hex(BODY)
    const headers = { host: 'keys.example', 'x-amz-content-sha256': hash }
    const given = signed({ headers })
    assert.equal(await verified(make(), given), ENCODER)
    await refuses(make(), { ...given, body: async () => Buffer.from('<other/>') }, 'body-mismatch')
  })

  test('accepts a body that is not signed only where that is allowed', async () => {
    const headers = { host: 'keys.example', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }
    const signer = new SignatureV4({
      ...scope,
      sha256: Sha256,
      credentials: { accessKeyId: id, secretAccessKey: issued.secretAccessKey.reveal() },
    })
    const request = { method: 'POST', protocol: 'https:', hostname: 'keys.example', path: '/copyProtection', headers }
    const { headers: signedHeaders } = await signer.sign(request, { signingDate: new Date(NOW) })
    const given = presenting(signedHeaders)
    await refuses(make(), given, 'body-mismatch')
    assert.equal(await verified(make({ allowUnsignedPayload: true }), given), ENCODER)
  })

  test('accepts five minutes of skew and no more', async () => {
    for (const skew of [-300_000, 300_000]) assert.equal(await verified(make(), signed({}, NOW + skew)), ENCODER)
    await refuses(make(), signed({}, NOW - 301_000), 'expired')
    await refuses(make(), signed({}, NOW + 301_000), 'not-yet-valid')
  })

  test('rejects another service, and another region where one is configured', async () => {
    await refuses(make(), signed({}, NOW, issued, { ...scope, service: 's3' }), 'mismatch')
    await refuses(make({ region: 'us-east-1' }), signed(), 'mismatch')
    assert.equal(await verified(make({ region: 'eu-west-1' }), signed()), ENCODER)
  })

  test('rejects a signature that leaves out Host or X-Amz-Date, or names a header that is not there', async () => {
    const given = signed()
    const authorization = String(given.headers.authorization)
    const many = Array.from({ length: 65 }, (_, at) => `a${at}`).join(';')
    for (const names of [
      `${many};host;x-amz-date`,
      'content-type;x-amz-date',
      'content-type;host',
      'content-type;host;nothing;x-amz-date',
      '',
    ]) {
      const changed = authorization.replace(/SignedHeaders=[^,]+/, `SignedHeaders=${names}`)
      await refuses(make(), { ...given, headers: { ...given.headers, authorization: changed } }, 'malformed')
    }
  })

  test('rejects headers that come twice', async () => {
    const given = signed()
    const rawHeaders = Object.entries(given.headers).flatMap(([name, value]) => [name, String(value)])
    assert.equal(await verified(make(), { ...given, rawHeaders }), ENCODER)
    await refuses(make(), { ...given, rawHeaders: [...rawHeaders, 'X-AMZ-Date', '20261121T190000Z'] }, 'ambiguous')
  })

  test('rejects an unknown access key and another secret', async () => {
    await refuses(make(), signed({}, NOW, { ...issued, accessKeyId: 'KSNOBODY' }), 'unknown')
    await refuses(make(), signed({}, NOW, issueAccessKey(randomBytes)), 'unknown')
    await refuses(make(), signed({}, NOW, { ...issued, secretAccessKey: new Secret('guess') }), 'mismatch')
  })

  test('rejects a request target that is no visible ASCII', async () => {
    await refuses(make(), { ...signed(), rawPath: '/\ud800' }, 'malformed')
  })
})

test('signSigV4 rejects a query that has no sure canonical form', () => {
  for (const query of ['a=b+c', 'a=%']) {
    assert.throws(() => signed({ rawPath: `/?${query}` }), { code: 'ERR_CONFIG_INVALID' })
  }
})

describe('canonicalForms', () => {
  test('are one for a plain path', () => assert.deepEqual(canonicalForms('/copyProtection'), [['/copyProtection', '']]))

  test('are what SDKs and what curl 7.88 sign', () => {
    assert.deepEqual(canonicalForms('/a%20b?b=1&a'), [
      ['/a%2520b', 'a=&b=1'],
      ['/a%2520b', 'b=1&a'],
      ['/a%20b', 'a=&b=1'],
      ['/a%20b', 'b=1&a'],
    ])
  })

  test('of two paths are never the same, unless they decode to the same', () => {
    const paths = [
      '/a%20b',
      '/a%2520b',
      '/a%252520b',
      '/a b',
      '/a%2Fb',
      '/a/b',
      '/a%252Fb',
      '/%25',
      '/%2525',
      '/a%41',
      '/aA',
    ]
    for (const one of paths) {
      for (const other of paths) {
        if (decodeURIComponent(one) === decodeURIComponent(other)) continue
        const forms = canonicalForms(other).map(String)
        assert.ok(!canonicalForms(one).some((form) => forms.includes(String(form))), `${one} and ${other}`)
      }
    }
  })

  test('of a query with a plus or a stray percent are only the query itself', () => {
    for (const query of ['a+b=1&a=2', 'a=%&A=1', 'a=%FF&A=1'])
      assert.deepEqual(canonicalForms(`/?${query}`), [['/', query]])
  })

  test('encode what SigV4 encodes and nothing else', () => {
    assert.equal(encodePath("/a-._~!'()*:@$&+,;=%/"), '/a-._~%21%27%28%29%2A%3A%40%24%26%2B%2C%3B%3D%25/')
    assert.equal(sortQuery('b=%7e&a=%2f&a=%20'), 'a=%20&a=%2F&b=~')
  })
})
