import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { issueToken } from '../../src/auth/methods/bearer-token.ts'
import { CallerRegistry } from '../../src/server/assemble/caller-registry.ts'
import type { KeyProvider } from '../../src/server/assemble/key-provider.ts'
import { type Config, readConfig } from '../../src/server/config/config.ts'
import { RunningServer } from '../../src/server/start.ts'
import { certificateOf, rsaKeys } from '../formats/cpix/certificates.ts'
import { KID, requestFor } from '../protocols/speke/documents.ts'
import { keptKeyProvider, keptLog, keptMetrics } from './fakes.ts'

const directory = mkdtempSync(join(tmpdir(), 'keyspring-start-'))
const closing: (() => Promise<unknown>)[] = []
after(async () => {
  for (const close of closing) await close()
  rmSync(directory, { recursive: true })
})

const configOf = (environment: Record<string, string> = {}, settings: Record<string, unknown> = {}): Config =>
  readConfig({
    environment: {
      KEYSPRING_PORT: '0',
      KEYSPRING_STORE: 'memory',
      KEYSPRING_DATA: join(directory, 'data'),
      ...environment,
    },
    settings,
  })

async function startWith(config: Config, keyProvider?: KeyProvider) {
  const { log, lines } = keptLog()
  const { metrics, told } = keptMetrics()
  const provider = keyProvider ?? (await keptKeyProvider(config))
  const server = await RunningServer.start(config, { keyProvider: provider, log, metrics, version: '9.9.9' })
  closing.push(() => server.close())
  return { server, lines, told }
}

const ask = (server: RunningServer, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}/copyProtection`, {
    method: 'POST',
    body: HLS_REQUEST,
    headers: { 'content-type': 'text/xml', ...headers },
  })
const HLS_REQUEST = readFileSync(new URL('../../docs/examples/hls-aes-128-v1.xml', import.meta.url), 'utf8')

/** The key URL in an answer. */
async function keyUrlIn(response: Response): Promise<string> {
  const [, base64 = ''] = /<cpix:URIExtXKey>([^<]+)</.exec(await response.text()) ?? []
  return Buffer.from(base64, 'base64').toString()
}

test('key URLs start with the address of the listener, unless a public URL is set', async () => {
  const { server } = await startWith(configOf())
  assert.ok((await keyUrlIn(await ask(server))).startsWith(`${server.url}/keys/`))
  const set = { KEYSPRING_PUBLIC_URL: 'https://keys.example.com/', KEYSPRING_ALLOW_ANONYMOUS: 'true' }
  const { server: other } = await startWith(configOf(set))
  assert.ok((await keyUrlIn(await ask(other))).startsWith('https://keys.example.com/keys/'))
})

test('a reload changes answers, and names the settings that need a restart', async () => {
  const { server, lines } = await startWith(configOf())
  const asked = { 'x-speke-version': '2.0' }
  const ivs = async (): Promise<number> => {
    const response = await fetch(`${server.url}/copyProtection`, {
      method: 'POST',
      body: requestFor(),
      headers: { 'content-type': 'text/xml', ...asked },
    })
    return [...(await response.text()).matchAll(/explicitIV=/g)].length
  }
  assert.equal(await ivs(), 0)
  await server.reload(configOf({ KEYSPRING_SIGNALING_PROFILE: 'mediapackage-v2' }))
  assert.ok((await ivs()) > 0)
  assert.equal(lines.at(-1)?.message, 'configuration reloaded')
  await server.reload(configOf({ KEYSPRING_PORT: '9', KEYSPRING_DATA: '/elsewhere', KEYSPRING_LIMITS_DEPTH: '9' }))
  assert.deepEqual(lines.at(-1)?.fields.settings, ['port', 'data'])
})

test('the metrics know when the first certificate of a file expires', async () => {
  const { publicKey, privateKey } = rsaKeys(2048)
  const pem = (notAfter: Date): string => {
    const base64 = certificateOf({ publicKey, validTo: notAfter.getTime() }).toString('base64')
    return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`
  }
  const [soon, late] = [new Date('2031-01-01T00:00:00Z'), new Date('2041-01-01T00:00:00Z')]
  const [cert, key] = [join(directory, 'server.crt'), join(directory, 'server.key')]
  writeFileSync(cert, pem(late) + pem(soon))
  writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const { told } = await startWith(configOf({ KEYSPRING_TLS_CERT: cert, KEYSPRING_TLS_KEY: key }))
  assert.deepEqual(
    told.filter(([name]) => name === 'tlsCertificateExpiry'),
    [['tlsCertificateExpiry', 'server', soon.getTime() / 1_000]],
  )
})

test('a configuration with which no handler can be made leaves no listener behind', async () => {
  const config = configOf()
  const keyProvider = await keptKeyProvider(config)
  Object.defineProperty(keyProvider, 'operations', { get: () => assert.fail('no') })
  await assert.rejects(startWith(config, keyProvider), /no/)
})

for (const [what, isReady] of [
  ['says no', async () => false],
  ['fails', () => Promise.reject(new Error('hunter2'))],
  ['does not answer', () => new Promise<boolean>(() => undefined)],
] as const) {
  test(`is not ready while the store ${what}`, async () => {
    const keyProvider = Object.assign(await keptKeyProvider(configOf()), { isReady })
    const { server } = await startWith(configOf(), keyProvider)
    const response = await fetch(`${server.url}/readyz`)
    assert.deepEqual({ status: response.status, text: await response.text() }, { status: 503, text: 'unready' })
    assert.equal((await fetch(`${server.url}/livez`)).status, 200)
  })
}

test('closes the keys after the last answer', async () => {
  const order: string[] = []
  const asked = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const keyProvider = await keptKeyProvider(configOf())
  const { contentKeys } = keyProvider
  const open = contentKeys.open.bind(contentKeys)
  contentKeys.open = async (...values) => {
    asked.resolve()
    await go.promise
    order.push('answered')
    return open(...values)
  }
  const close = keyProvider.close.bind(keyProvider)
  keyProvider.close = async () => {
    order.push('closed')
    await close()
  }
  const { server } = await startWith(configOf(), keyProvider)
  const response = ask(server)
  await asked.promise
  const closed = server.close()
  go.resolve()
  assert.equal((await response).status, 200)
  await closed
  assert.deepEqual(order, ['answered', 'closed'])
  closing.pop()
})

/** A client with a token, as settings and as a header. */
function clientOf(name: string) {
  const { token, credential } = issueToken((size) => crypto.getRandomValues(new Uint8Array(size)))
  const sha256 = Buffer.from(credential.sha256).toString('hex')
  const client = { name, credentials: { token: [{ id: credential.id, sha256 }] } }
  return { client, headers: { 'x-api-key': token.reveal() } }
}

describe('a private listener', () => {
  const exportKeys = (server: RunningServer, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/api/contents`, { headers })

  test('serves encryptors and players on this machine without a credential', async () => {
    const { server } = await startWith(configOf())
    const url = await keyUrlIn(await ask(server))
    assert.equal((await fetch(url)).status, 200)
    assert.equal((await fetch(`${server.url}/metrics`)).status, 200)
  })

  test('rejects a forwarded request', async () => {
    const { server } = await startWith(configOf())
    assert.equal((await ask(server, { 'x-forwarded-for': '192.0.2.1' })).status, 403)
  })

  test('opens management only for the token in a file of mode 0600', async () => {
    const { server } = await startWith(configOf())
    const file = server.managementTokenFile ?? ''
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const token = readFileSync(file, 'utf8').trim()
    const missing = await exportKeys(server)
    assert.equal(missing.status, 401)
    assert.match(missing.headers.get('www-authenticate') ?? '', /^Bearer/)
    assert.equal((await exportKeys(server, { authorization: `Bearer ${token}x` })).status, 401)
    assert.equal((await exportKeys(server, { authorization: `Bearer ${token}` })).status, 200)
    const forwarded = { authorization: `Bearer ${token}`, 'x-forwarded-for': '192.0.2.1' }
    assert.equal((await exportKeys(server, forwarded)).status, 403)
  })

  test('keeps the token over a restart, but not in a file that others can read', async () => {
    const { server } = await startWith(configOf())
    const file = server.managementTokenFile ?? ''
    const token = readFileSync(file, 'utf8')
    const { server: second } = await startWith(configOf())
    assert.equal(readFileSync(second.managementTokenFile ?? '', 'utf8'), token)
    chmodSync(file, 0o644)
    const { server: third } = await startWith(configOf())
    assert.notEqual(readFileSync(third.managementTokenFile ?? '', 'utf8'), token)
    assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  test('changes no document over CPIX transfer without the token', async () => {
    const { server } = await startWith(configOf())
    const document = { method: 'PUT', body: requestFor(), headers: { 'content-type': 'application/xml' } }
    assert.equal((await fetch(`${server.url}/copyProtectionData/movie`, document)).status, 401)
  })

  for (const [what, environment] of [
    ['a proxy in trustProxy', { KEYSPRING_TRUST_PROXY: '127.0.0.1' }],
    ['a public URL', { KEYSPRING_PUBLIC_URL: 'https://keys.example.com' }],
  ] as const) {
    test(`does not exist with ${what}: neither callers nor players are open`, () => {
      assert.throws(
        () => configOf(environment),
        ({ message }: Error) => /playback\.access: is not set/.test(message) && /host: other machines/.test(message),
      )
      const { isPrivate } = configOf({ ...environment, KEYSPRING_ALLOW_ANONYMOUS: 'true' })
      assert.equal(isPrivate, false)
    })
  }
})

describe('a server with clients', () => {
  test('rejects everyone when a reload removes the last client, and does not start open again', async () => {
    const { client, headers } = clientOf('encoder')
    const config = configOf({}, { clients: [client] })
    const keyProvider = await keptKeyProvider(config)
    const { server } = await startWith(config, keyProvider)
    assert.equal((await ask(server, headers)).status, 200)
    assert.equal((await ask(server)).status, 401)
    await server.reload(configOf())
    assert.equal((await ask(server, headers)).status, 401)
    assert.equal((await ask(server)).status, 401)
    assert.equal(server.managementTokenFile, undefined)
    const { store, dataKeys, log } = keyProvider
    const restarted = new CallerRegistry({ store, dataKeys, log, now: () => Date.now() })
    await assert.rejects(restarted.load(configOf()), { code: 'ERR_CONFIG_INVALID', message: /this store had clients/ })
    await assert.doesNotReject(restarted.load(configOf({ KEYSPRING_ALLOW_ANONYMOUS: 'true' })))
  })

  test('is not opened by a reload', async () => {
    const { client } = clientOf('encoder')
    const { server } = await startWith(configOf({ KEYSPRING_PLAYBACK_ACCESS: 'off' }, { clients: [client] }))
    for (const opened of [{ KEYSPRING_ALLOW_ANONYMOUS: 'true' }, { KEYSPRING_PLAYBACK_ACCESS: 'open' }]) {
      const next = configOf({ KEYSPRING_PLAYBACK_ACCESS: 'off', ...opened }, { clients: [client] })
      await assert.rejects(server.reload(next), { code: 'ERR_CONFIG_INVALID', message: /restart it/ })
    }
    assert.equal((await ask(server)).status, 401)
  })

  test('gives players no key until playback.access is set', async () => {
    const { client, headers } = clientOf('encoder')
    const { server, lines } = await startWith(configOf({}, { clients: [client] }))
    const url = await keyUrlIn(await ask(server, headers))
    assert.equal((await fetch(url)).status, 404)
    assert.equal(lines.at(-1)?.message, 'players get no keys')
    const { server: open } = await startWith(configOf({ KEYSPRING_PLAYBACK_ACCESS: 'open' }, { clients: [client] }))
    const openUrl = await keyUrlIn(await ask(open, headers))
    assert.equal((await fetch(openUrl)).status, 200)
    assert.equal(
      (await fetch(openUrl, { headers: { 'x-real-ip': '192.0.2.1', 'x-forwarded-for': '1.2.3.4' } })).status,
      403,
    )
  })
})

test('playback.access off serves no player', async () => {
  const { server } = await startWith(configOf({ KEYSPRING_PLAYBACK_ACCESS: 'off' }))
  assert.equal((await fetch(await keyUrlIn(await ask(server)))).status, 404)
  const licence = await fetch(`${server.url}/license/clearkey/default/movie`, {
    method: 'POST',
    body: JSON.stringify({ kids: [Buffer.from(KID.replaceAll('-', ''), 'hex').toString('base64url')] }),
  })
  assert.equal(licence.status, 404)
})

test('bytes that are no request are counted and logged', async () => {
  const { server, lines, told } = await startWith(configOf())
  const response = await fetch(`${server.url}/livez`, { headers: { 'x-long': 'a'.repeat(20_000) } })
  assert.equal(response.status, 431)
  assert.deepEqual(
    told.filter(([name]) => name === 'unreadable'),
    [['unreadable', 431]],
  )
  assert.equal(lines[0]?.message, 'not a request')
})
