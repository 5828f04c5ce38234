import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { after, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { Sha256 } from '@aws-crypto/sha256-js'
import { SignatureV4 } from '@smithy/signature-v4'
import { Secret } from '../../../src/core/secret.ts'
import { SPEKE_REFUSALS } from '../../../src/protocols/speke/tables/refusals.ts'
import { newRecipient } from '../../../src/toolkit/encryptor/certificate.ts'
import { authorizerOf, type Credentials } from '../../../src/toolkit/encryptor/credentials.ts'
import { explainRefusal } from '../../../src/toolkit/encryptor/explain-refusal.ts'
import { SHAPES } from '../../../src/toolkit/encryptor/request/shapes.ts'
import { type ConnectionOptions, connect } from '../../../src/toolkit/encryptor/send.ts'
import { versionOf } from './asking.ts'

const NOW = Date.UTC(2026, 10, 21)
const SECRET = 'hunter2-Zm9v'
const servers: Server[] = []
after(() => {
  for (const server of servers) server.close()
})

/** A key provider that does as the test says: its URL, and what it was sent. */
async function provider(
  listener: RequestListener,
): Promise<{ readonly url: string; readonly seen: IncomingMessage[] }> {
  const seen: IncomingMessage[] = []
  const server = createServer((request, response) => {
    seen.push(request)
    request.resume().on('end', () => listener(request, response))
  })
  return { url: `${await listen(server, 'http')}/copyProtection?stage=a%20b`, seen }
}

async function listen(server: Server, scheme: string): Promise<string> {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const connectTo = (url: string, options: Partial<ConnectionOptions> = {}) =>
  connect({
    url,
    shape: SHAPES.spec,
    credentials: { kind: 'none' },
    headers: {},
    timeoutMs: 5000,
    tls: {},
    allowClearText: false,
    now: () => NOW,
    ticks: () => 0,
    randomBytes: (size) => Buffer.alloc(size, 0x11),
    ...options,
  })

async function sendTo(url: string, options: Partial<ConnectionOptions> = {}, speke = '2.0') {
  const connection = connectTo(url, options)
  try {
    return await connection.send('<a/>', versionOf(speke))
  } finally {
    connection.close()
  }
}

test('posts the document with the SPEKE 2 headers in the spelling of the encryptor', async () => {
  const { url, seen } = await provider((_, response) => response.end('answer'))
  const reply = await sendTo(url, { headers: { 'X-Api-Key': 'abc' } })
  const [request] = seen
  assert.equal(reply.body.toString(), 'answer')
  assert.equal(`${request?.method} ${request?.url}`, 'POST /copyProtection?stage=a%20b')
  assert.ok(request?.rawHeaders.includes('X-Speke-Version'))
  assert.deepEqual(
    ['content-type', 'x-speke-version', 'x-api-key', 'content-length'].map((name) => request?.headers[name]),
    ['application/xml', '2.0', 'abc', '4'],
  )
})

test('sends no X-Speke-Version for SPEKE 1.0', async () => {
  const { url, seen } = await provider((_, response) => response.end())
  await sendTo(url, {}, '1.0')
  assert.equal(seen[0]?.headers['x-speke-version'], undefined)
})

for (const [kind, credentials, expected] of [
  [
    'Basic',
    { kind: 'basic', user: 'éncoder', password: new Secret(SECRET) },
    `Basic ${btoa(String.fromCharCode(...Buffer.from(`éncoder:${SECRET}`)))}`,
  ],
  ['bearer', { kind: 'bearer', token: new Secret(SECRET) }, `Bearer ${SECRET}`],
] as const) {
  test(`authenticates with ${kind}`, async () => {
    const { url, seen } = await provider((_, response) => response.end())
    await sendTo(url, { credentials })
    assert.equal(seen[0]?.headers.authorization, expected)
  })
}

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const param = (header: string, name: string): string => new RegExp(`\\b${name}="?([^",]+)`).exec(header)?.[1] ?? ''

/** What RFC 2617 says the response is, computed apart from the code. */
function fits(request: IncomingMessage): boolean {
  const header = request.headers.authorization ?? ''
  const [nonce, nc, cnonce, qop] = ['nonce', 'nc', 'cnonce', 'qop'].map((name) => param(header, name))
  const ha1 = md5(`encoder:speke:${SECRET}`)
  const ha2 = md5(`POST:${request.url}`)
  const expected = qop === '' ? md5(`${ha1}:${nonce}:${ha2}`) : md5(`${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`)
  return param(header, 'response') === expected && param(header, 'opaque') === 'xyz'
}

const digest: Credentials = { kind: 'digest', user: 'encoder', password: new Secret(SECRET) }

for (const [what, challenge] of [
  ['qop=auth', ['Digest realm="speke", nonce="n1", qop="auth,auth-int", opaque="xyz", algorithm=MD5']],
  ['the form of RFC 2069', ['Digest realm="speke", nonce="n1", opaque="xyz"']],
  [
    'one of several challenges in one header',
    ['Basic realm="speke", Digest realm="speke", nonce="n1", qop="auth", opaque="xyz"'],
  ],
  [
    'one of several headers',
    [
      'Digest realm="speke", nonce="n0", algorithm=SHA-512-256',
      'Digest realm="speke", nonce="n1", qop="auth", opaque="xyz"',
    ],
  ],
] as const) {
  test(`answers a Digest challenge: ${what}`, async () => {
    const { url, seen } = await provider((request, response) => {
      if (fits(request)) response.end('answer')
      else response.writeHead(401, { 'www-authenticate': [...challenge] }).end()
    })
    const connection = connectTo(url, { credentials: digest })
    assert.equal((await connection.send('<a/>', versionOf('2.0'))).status, 200)
    assert.equal(seen[0]?.headers.authorization, undefined)
    assert.equal((await connection.send('<a/>', versionOf('2.0'))).status, 200)
    assert.equal(seen.length, 3, 'the nonce is used again')
    assert.notEqual(
      param(seen[1]?.headers.authorization ?? '', 'nc') || '1',
      param(seen[2]?.headers.authorization ?? '', 'nc'),
    )
    connection.close()
  })
}

test('prefers SHA-256 among Digest challenges', () => {
  const authorizer = authorizerOf(digest, { now: () => NOW, randomBytes: (size) => Buffer.alloc(size) })
  const challenges = ['MD5', 'SHA-256'].map(
    (algorithm) => `Digest realm="r", nonce="n", qop="auth", algorithm=${algorithm}`,
  )
  assert.equal(authorizer.takeChallenges?.(challenges), true)
  const headers = authorizer.headersFor({ method: 'POST', rawPath: '/', headers: {}, body: '' })
  assert.match(headers.authorization ?? '', /algorithm=SHA-256/)
})

test('gives up when a Digest answer is rejected with the same nonce', async () => {
  const { url, seen } = await provider((_, response) =>
    response.writeHead(401, { 'www-authenticate': 'Digest realm="speke", nonce="n1", qop="auth"' }).end(),
  )
  assert.equal((await sendTo(url, { credentials: digest })).status, 401)
  assert.equal(seen.length, 2)
})

test('signs with SigV4 like the AWS SDK', async () => {
  const { url, seen } = await provider((_, response) => response.end())
  const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
  const accessKey = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: new Secret(secretAccessKey),
    sessionToken: new Secret('token'),
  }
  const scope = { region: 'eu-west-1', service: 'execute-api' }
  await sendTo(url, { credentials: { kind: 'sigv4', accessKey, scope } })
  const sdk = new SignatureV4({
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey, sessionToken: 'token' },
    ...scope,
    sha256: Sha256,
    applyChecksum: false,
  })
  const { headers } = await sdk.sign(
    {
      method: 'POST',
      protocol: 'http:',
      hostname: '127.0.0.1',
      path: '/copyProtection',
      query: { stage: 'a b' },
      headers: { host: new URL(url).host, 'content-type': 'application/xml', 'x-speke-version': '2.0' },
      body: '<a/>',
    },
    { signingDate: new Date(NOW) },
  )
  assert.equal(seen[0]?.headers.authorization, headers.authorization)
  assert.equal(seen[0]?.headers['x-amz-security-token'], 'token')
})

test('connects over TLS with a given CA and a client certificate', async () => {
  const server = pemOf('localhost')
  const client = pemOf('encoder')
  const listening = createTlsServer(
    { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: false },
    (request, response) => {
      response.end(String((request.socket as TLSSocket).authorized))
    },
  )
  const address = await listen(listening, 'https')
  const url = address.replace('127.0.0.1', 'localhost')
  assert.equal((await sendTo(url, { tls: { ca: server.cert } })).body.toString(), 'false')
  assert.equal((await sendTo(url, { tls: { ca: server.cert, ...client } })).body.toString(), 'true')
  await assert.rejects(sendTo(url), {
    code: 'ERR_KEY_PROVIDER_UNREACHABLE',
    message: /self-signed: trust it with --ca/,
  })
  await assert.rejects(sendTo(address, { tls: { ca: server.cert } }), { message: /for another host name/ })
})

function pemOf(commonName: string): { readonly cert: string; readonly key: string } {
  const { certificate, privateKey } = newRecipient(Date.now(), randomBytes, commonName)
  const base64 = Buffer.from(certificate).toString('base64')
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}

for (const [what, url, problem] of [
  ['a port where nobody listens', 'http://127.0.0.1:1/', /no program listens on this port/],
  ['a host that does not exist', 'http://nonesuch.invalid/', /the host name does not exist|DNS does not answer/],
] as const) {
  test(`names a fix for ${what}`, async () => {
    await assert.rejects(sendTo(url), { code: 'ERR_KEY_PROVIDER_UNREACHABLE', message: problem })
  })
}

test('stops waiting after the timeout', async () => {
  const { url } = await provider(() => undefined)
  await assert.rejects(sendTo(url, { timeoutMs: 50 }), {
    code: 'ERR_KEY_PROVIDER_UNREACHABLE',
    message: /no answer within 0\.05 s/,
  })
})

test('reports a connection that ends without an answer', async () => {
  const { url } = await provider((request) => request.socket.destroy())
  await assert.rejects(sendTo(url), {
    code: 'ERR_KEY_PROVIDER_UNREACHABLE',
    message: /closed the connection without an answer/,
  })
})

test('rejects an endless answer', async () => {
  const { url } = await provider((_, response) => response.end(Buffer.alloc(9 * 1024 * 1024)))
  await assert.rejects(sendTo(url), { code: 'ERR_KEY_PROVIDER_UNREACHABLE', message: /more than/ })
})

for (const [what, url, options] of [
  ['a URL with a password', `http://user:${SECRET}@127.0.0.1/`, {}],
  [
    'a password over http:// to another machine',
    'http://keys.example.com/',
    { credentials: { kind: 'bearer', token: new Secret(SECRET) } },
  ],
  ['another protocol', 'ftp://127.0.0.1/', {}],
  ['no URL', 'nonesuch', {}],
  ['a client certificate without TLS', 'http://127.0.0.1/', { tls: { cert: 'x', key: 'y' } }],
] as const) {
  test(`rejects ${what} before it sends a request`, async () => {
    await assert.rejects(
      async () => sendTo(url, options),
      (error: Error) => {
        assert.equal((error as Error & { code?: string }).code, 'ERR_USAGE_INVALID')
        assert.ok(!error.message.includes(SECRET))
        return true
      },
    )
  })
}

const said = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): string =>
  explainRefusal({ status, headers, body: Buffer.from(body), milliseconds: 1 })

test('explains each of the ten SPEKE errors', () => {
  const explained = Object.values(SPEKE_REFUSALS).map((text) => said(422, text.replace('$', 'edef8ba9')))
  for (const text of explained) assert.match(text, /^the key provider answered 422: .+\nwhy: .+\nhow to fix it: .+$/)
  assert.equal(new Set(explained.map((text) => text.split('\n')[1])).size, 10)
})

test('shows the reason header of Keyspring', () => {
  assert.match(
    said(422, 'Unsupported SPEKE version', { 'x-keyspring-reason': 'has a proxy dropped it?' }),
    /\nreason: has a proxy dropped it\?\n/,
  )
})

test('explains a status without a SPEKE error', () => {
  for (const status of [301, 400, 401, 403, 404, 405, 413, 415, 418, 422, 429, 500, 503]) {
    assert.match(
      said(status, 'no'),
      new RegExp(`^the key provider answered ${status}: no\nwhy: .+\nhow to fix it: .+$`),
    )
  }
})

test('hides HTML pages, keys and terminal control characters', () => {
  assert.match(said(502, '<html>…</html>', { 'content-type': 'text/html' }), /answered 502: an HTML page of/)
  assert.doesNotMatch(said(422, '<PlainValue>AAAA</PlainValue>'), /AAAA/)
  assert.ok(!said(422, 'a\u001b[2Jb').includes('\u001b'))
  assert.ok(said(422, 'x'.repeat(9999)).length < 1000)
  assert.match(said(404, ''), /answered 404 with an empty body/)
})
