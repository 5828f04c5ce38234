import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Authenticator } from '../../src/auth/authenticate.ts'
import type { RegisteredClient } from '../../src/auth/clients/client.ts'
import { createClientDirectory } from '../../src/auth/clients/directory.ts'
import type { Credential } from '../../src/auth/credentials/credential.ts'
import { mtls } from '../../src/auth/methods/mtls.ts'
import { textReply, toReply } from '../../src/http/errors.ts'
import { Listener } from '../../src/http/listener/listener.ts'
import { readConfig } from '../../src/server/config/config.ts'
import { callOf, toCall } from '../http/calls.ts'
import { keptKeyProvider } from '../server/fakes.ts'
import { type Issued, issuerOf } from './certificates.ts'
import { directory } from './serving.ts'

const ca = issuerOf('Studio CA')
const server = ca.issue('keys', ['IP:127.0.0.1'])
/** Self-signed and pinned. As `openssl req -x509` makes it, it could sign others. */
const pinned = issuerOf('encoder-a')
const forged = pinned.issue('evil', ['DNS:b.example.com'])
const right = ca.issue('encoder-b', ['DNS:b.example.com'])

const client = (name: string, credential: Credential): RegisteredClient => ({
  client: { name, tenant: `studio-${name}`, scopes: ['keys:issue'] },
  credentials: [credential],
})
const A = client('a', { method: 'certificate', id: pinned.fingerprint })
const named = (issuer?: string) =>
  client('b', { method: 'certificate', id: 'DNS:b.example.com', ...(issuer !== undefined && { issuer }) })

const open: Listener[] = []
after(() => Promise.all(open.map((listener) => listener.close(0))))

/** A listener that answers with the name of the client, as mTLS finds it. */
async function listening(clients: readonly RegisteredClient[], clientCa: string, issuers: readonly string[]) {
  const authenticator = new Authenticator([
    mtls({ clients: createClientDirectory(clients), now: () => Date.now(), issuers }),
  ])
  const tls = { cert: Buffer.from(server.cert), key: Buffer.from(server.key), clientCa: Buffer.from(clientCa) }
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    tls,
    limits: { bodyBytes: 100, connections: 100, headersTimeoutMs: 5_000, requestTimeoutMs: 10_000 },
    handler: async (incoming) => {
      try {
        const found = await authenticator.authenticate(toCall(incoming))
        return textReply(200, found.client.name)
      } catch (error) {
        return toReply(error)
      }
    },
  })
  open.push(listener)
  return { listener, tls }
}

function ask({ address }: Listener, { cert, key }: Issued, chain = '', agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { ...address, ca: ca.cert, cert: cert + chain, key, agent: agent ?? false }
    const sent = request({ ...options, method: 'GET', path: '/' }, async (response) => {
      resolve(`${response.statusCode} ${Buffer.concat(await response.toArray())}`.slice(0, 5))
    })
    sent.on('error', reject).end()
  })
}

describe('a pinned certificate', () => {
  test('vouches for nobody: a certificate that it signed is not the client of the name in it', async () => {
    for (const issuer of [ca.fingerprint, undefined]) {
      const { listener } = await listening([A, named(issuer)], ca.cert + pinned.cert, [
        ca.fingerprint,
        pinned.fingerprint,
      ])
      assert.match(await ask(listener, forged, pinned.cert), /^401/)
      assert.equal(await ask(listener, pinned), '200 a')
      assert.equal(await ask(listener, right), '200 b')
    }
  })

  test('is accepted although no issuer vouches for it', async () => {
    const { listener } = await listening([A], ca.cert, [ca.fingerprint])
    assert.equal(await ask(listener, pinned), '200 a')
    assert.match(await ask(listener, issuerOf('encoder-a')), /^401/)
  })
})

describe('a name', () => {
  const other = issuerOf('Other CA')
  const byOther = other.issue('encoder-b', ['DNS:b.example.com'])

  test('is accepted from its own issuer only', async () => {
    const { listener } = await listening([named(ca.fingerprint)], ca.cert + other.cert, [
      ca.fingerprint,
      other.fingerprint,
    ])
    assert.equal(await ask(listener, right), '200 b')
    assert.match(await ask(listener, byOther), /^401/)
  })

  test('without an issuer is accepted from nobody if there are several', async () => {
    const { listener } = await listening([named()], ca.cert + other.cert, [ca.fingerprint, other.fingerprint])
    assert.match(await ask(listener, right), /^401/)
  })

  test('without an issuer is a problem of the configuration if there are several', async () => {
    const [clientCa, cert, key] = ['issuers.pem', 'server.pem', 'server.key'].map((name) => join(directory, name))
    writeFileSync(clientCa ?? '', ca.cert + other.cert)
    writeFileSync(cert ?? '', server.cert)
    writeFileSync(key ?? '', server.key)
    const load = async (credentials: object) => {
      const file = join(directory, 'issuers.yaml')
      writeFileSync(file, JSON.stringify({ tls: { cert, key, clientCa }, clients: [{ name: 'b', credentials }] }))
      const config = readConfig({ file, environment: { KEYSPRING_STORE: 'memory' } })
      const { callers } = await keptKeyProvider(config)
      return callers.load(config)
    }
    const name = 'DNS:b.example.com'
    await assert.rejects(load({ certificate: [{ name }] }), {
      code: 'ERR_CONFIG_INVALID',
      message: /client "b": certificate "DNS:b\.example\.com": tls\.clientCa has 2 issuers.*Set the issuer/,
    })
    await load({ certificate: [{ name, issuer: ca.fingerprint }] })
  })
})

test('a connection ends when the issuers of client certificates change', async () => {
  const { listener, tls } = await listening([named(ca.fingerprint)], ca.cert, [ca.fingerprint])
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const sockets = new Set<unknown>()
  agent.on('free', (socket) => sockets.add(socket))
  assert.equal(await ask(listener, right, '', agent), '200 b')
  assert.equal(await ask(listener, right, '', agent), '200 b')
  listener.setTls({ ...tls, clientCa: Buffer.from(issuerOf('New CA').cert) })
  await new Promise((resolve) => setImmediate(resolve))
  // The old connection may fail in flight; a new one is not authenticated.
  const after = await ask(listener, right, '', agent).catch(() => ask(listener, right, '', agent))
  assert.match(after, /^401/)
  agent.destroy()
})

test('a certificate of the connection is not asked for without tls.clientCa', async () => {
  const call = toCall(callOf('GET', '/'))
  assert.equal(call.clientCertificate, undefined)
})
