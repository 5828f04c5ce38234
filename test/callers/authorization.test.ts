import assert from 'node:assert/strict'
import { createSecretKey, randomBytes, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { memoryStore } from '../../src/adapters/store/memory/store.ts'
import { AuthenticationError } from '../../src/auth/failure.ts'
import { issueToken } from '../../src/auth/methods/bearer-token.ts'
import { digestResponse, digestSecret } from '../../src/auth/methods/digest-secret.ts'
import type { Reply } from '../../src/http/request.ts'
import { CallerRegistry } from '../../src/server/assemble/caller-registry.ts'
import type { Callers } from '../../src/server/assemble/callers.ts'
import type { RequestHandlers } from '../../src/server/assemble/request-handlers.ts'
import { readConfig } from '../../src/server/config/config.ts'
import { certificateOf, evenPublicKey, rsaKeys } from '../formats/cpix/certificates.ts'
import { callOf, toCall } from '../http/calls.ts'
import { CLEARKEY_DASH, KIDS, requestFor } from '../protocols/speke/documents.ts'
import { keptLog, type Line } from '../server/fakes.ts'
import { directory, serverOf } from './serving.ts'

const metricsOf = (
  handlers: RequestHandlers,
  which: keyof RequestHandlers,
  overrides: object = {},
): Promise<Reply> | Reply => handlers[which](callOf('GET', '/metrics', overrides))
const lastOf = (lines: readonly Line[]) => lines.at(-1)?.fields

describe('clients', () => {
  test('the tenant comes from the credential: the same content and kid are other keys in another', async () => {
    const { post } = await serverOf({ one: { tenant: 'a' }, two: { tenant: 'b' }, three: { tenant: 'a' } })
    const [one, two, three] = [await post('one'), await post('two'), await post('three')]
    assert.deepEqual([one.status, two.status, three.status], [200, 200, 200])
    assert.deepEqual(one.keys, three.keys)
    assert.notDeepEqual(one.keys, two.keys)
  })

  test("another tenant's key is a 404 like one that never was", async () => {
    const open = 'playback: { access: open }'
    const { post, handlers } = await serverOf({ one: { tenant: 'a' }, two: { tenant: 'b' } }, open)
    const { status } = await post('one', requestFor({ systems: [CLEARKEY_DASH], contentId: 'movie' }))
    assert.equal(status, 200)
    const ask = async (path: string) => {
      const { status: told, headers, body } = await handlers.main(callOf('GET', `/keys/${path}`))
      return { told, headers, body: Buffer.from(body).toString() }
    }
    assert.equal((await ask(`a/movie/${KIDS[0]}`)).told, 200)
    const never = await ask(`b/never/${KIDS[0]}`)
    assert.equal(never.told, 404)
    assert.deepEqual(await ask(`b/movie/${KIDS[0]}`), never)
    assert.deepEqual(await ask(`c/movie/${KIDS[0]}`), never)
  })

  test('no header names a tenant', async () => {
    const { post, tokens } = await serverOf({ one: { tenant: 'a' }, two: { tenant: 'b' } })
    const { keys } = await post('one')
    const other = await post('one', requestFor(), {
      rawPath: '/copyProtection?tenant=b',
      headers: { 'x-tenant': 'b', 'x-speke-version': '2.0', 'x-api-key': tokens.one },
    })
    assert.equal(other.status, 200)
    assert.deepEqual(other.keys, keys)
  })

  test('a client without keys:issue gets no keys, and the reason in one word', async () => {
    const { post, lines } = await serverOf({ reader: { scopes: ['keys:read'] } })
    const { status, text } = await post('reader')
    assert.deepEqual([status, text], [403, 'the client is not allowed to do this: scope'])
    assert.equal(lastOf(lines)?.client, 'reader')
  })

  test('contents that fit no pattern are 403, the first time and ever after', async () => {
    const { post, lines } = await serverOf({ live: { contentIds: ['live-*', 'trailer'] } })
    const ask = async (contentId: string): Promise<number> => (await post('live', requestFor({ contentId }))).status
    for (let i = 0; i < 3; i++) {
      assert.deepEqual([await ask('live-1'), await ask('trailer')], [200, 200])
      assert.deepEqual([await ask('vod-1'), await ask('trailers'), await ask('LIVE-1')], [403, 403, 403])
    }
    assert.equal(lastOf(lines)?.code, 'ERR_FORBIDDEN')
    assert.ok(!lines.some(({ fields }) => fields.first === true && fields.contentId === 'vod-1'))
  })

  test('a content that a client may not have is not created', async () => {
    const { post } = await serverOf({ live: { contentIds: ['live-*'] }, all: {} })
    assert.equal((await post('live', requestFor({ contentId: 'vod' }))).status, 403)
    assert.equal((await post('all', requestFor({ contentId: 'vod' }))).status, 200)
  })

  const recipient = (der: Uint8Array): string =>
    `<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${Buffer.from(der).toString('base64')}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`
  const pinned = certificateOf({ publicKey: rsaKeys(2048).publicKey })
  const other = certificateOf({ publicKey: rsaKeys(2048).publicKey })
  const recipientFingerprints = [new X509Certificate(pinned).fingerprint256]

  test('keys are encrypted for pinned recipients only', async () => {
    const { post } = await serverOf({ packager: { recipientFingerprints }, any: {} })
    const ask = (name: string, ...certificates: readonly Uint8Array[]) =>
      post(name, requestFor({}, { deliveryData: certificates.map(recipient).join('') }))
    for (let i = 0; i < 3; i++) {
      const { status, text } = await ask('packager', pinned)
      assert.equal(status, 200, text)
      assert.match(text, /EncryptedValue/)
      for (const certificates of [[other], [pinned, other]]) {
        const refused = await ask('packager', ...certificates)
        assert.deepEqual(
          [refused.status, refused.text],
          [403, 'the client is not allowed to do this: recipient'],
          `${certificates.length}`,
        )
      }
      assert.equal((await ask('any', other)).status, 200)
    }
  })

  test('a recipient that is not pinned is rejected before anything is encrypted for it', async () => {
    const { post } = await serverOf({ packager: { recipientFingerprints }, any: {} })
    // Nothing can be encrypted with its key: whoever tries to is refused otherwise.
    const xml = requestFor({}, { deliveryData: recipient(certificateOf({ publicKey: evenPublicKey() })) })
    assert.deepEqual([(await post('any', xml)).status, (await post('packager', xml)).status], [422, 403])
  })

  test('a client has a signalling profile of its own, before that of the content', async () => {
    const yaml =
      'contents: [{ contentId: "*", signalingProfile: default }]\nsignalingProfiles: { marked: { widevine: { provider: marked } } }'
    const { post } = await serverOf({ own: { signalingProfile: 'marked' }, plain: {} }, yaml)
    const psshOf = async (name: string) => /<cpix:PSSH>([^<]+)</.exec((await post(name)).text)?.[1] ?? ''
    assert.ok(Buffer.from(await psshOf('own'), 'base64').includes('marked'))
    assert.ok(!Buffer.from(await psshOf('plain'), 'base64').includes('marked'))
  })

  test('a credential is rejected before its time and from its end on', async () => {
    const token = issueToken(randomBytes)
    const sha256 = Buffer.from(token.credential.sha256).toString('hex')
    for (const [validity, reason] of [
      [{ notBefore: '2999-01-01T00:00:00Z' }, 'token: not-yet-valid'],
      [{ notAfter: '2001-01-01T00:00:00Z' }, 'token: expired'],
    ] as const) {
      const { post, lines } = await serverOf({
        a: { credentials: { token: [{ id: token.credential.id, sha256, ...validity }] } },
      })
      assert.equal((await post(token.token.reveal())).status, 401)
      assert.equal(lastOf(lines)?.detail, reason)
    }
  })

  test('401 goes before anything that is wrong with the request', async () => {
    const { post } = await serverOf({ one: {} })
    for (const xml of ['', '<', requestFor({ contentId: '' })]) assert.equal((await post(undefined, xml)).status, 401)
    const headers = { 'content-type': 'text/html' }
    assert.equal((await post(undefined, requestFor(), { headers })).status, 401)
  })
})

test('a Digest nonce of one node is accepted by every other of the store, after a reload too', async () => {
  const store = memoryStore()
  const key = createSecretKey(randomBytes(32))
  const dataKeys = { current: async () => ({ generation: 1, key }), find: async () => key }
  const { log } = keptLog()
  const nodes = [1, 2].map(() => new CallerRegistry({ store, dataKeys, log, now: () => Date.now() }))
  const passwordFile = join(directory, 'digest-password')
  writeFileSync(passwordFile, 'open sesame')
  const file = join(directory, 'digest.yaml')
  const clients = [{ name: 'encoder', credentials: { digest: [{ user: 'encoder', passwordFile }] } }]
  writeFileSync(file, JSON.stringify({ clients }))
  const config = readConfig({ file, environment: {} })
  const [one, two] = await Promise.all(nodes.map((node) => node.load(config)))
  for (const [i, callers] of [one, two].entries()) if (callers !== undefined) nodes[i]?.enforce(callers)
  const call = (authorization?: string) =>
    toCall(callOf('POST', '/copyProtection', { headers: authorization === undefined ? {} : { authorization } }))
  const identify = async (callers: Callers | undefined, authorization?: string) =>
    callers?.identify(call(authorization))
  const challenge = async (callers: Callers | undefined): Promise<string> => {
    const error: unknown = await identify(callers).catch((reason: unknown) => reason)
    assert.ok(error instanceof AuthenticationError)
    return /nonce="([^"]+)"/.exec(error.challenges.join())?.[1] ?? ''
  }
  const answerTo = (nonce: string, count: number): string => {
    const [nc, cnonce, uri] = [count.toString(16).padStart(8, '0'), 'c', '/copyProtection']
    const ha1 = digestSecret('encoder', 'keyspring', 'open sesame').MD5
    const response = digestResponse({ algorithm: 'MD5', ha1, method: 'POST', uri, nonce, nc, cnonce })
    return `Digest username="encoder", realm="keyspring", nonce="${nonce}", uri="${uri}", response="${response}", qop=auth, nc=${nc}, cnonce="${cnonce}"`
  }
  const nonce = await challenge(one)
  assert.equal((await identify(two, answerTo(nonce, 1)))?.client, 'encoder')
  await assert.rejects(identify(two, answerTo(nonce, 1)), { reason: 'replayed' })
  const reloaded = await nodes[1]?.load(config)
  if (reloaded !== undefined) nodes[1]?.enforce(reloaded)
  await assert.rejects(identify(reloaded, answerTo(nonce, 1)), { reason: 'replayed' }, 'a reload forgets no count')
  assert.equal((await identify(reloaded, answerTo(nonce, 2)))?.client, 'encoder')
})

describe('limits for each client', () => {
  test('a client that asks too often gets 429 with Retry-After, and the others do not', async () => {
    const yaml = 'limits: { clientRequestsPerSecond: 1, clientBurst: 3 }'
    const { post, lines } = await serverOf({ busy: {}, calm: {} }, yaml)
    const statuses = []
    for (let i = 0; i < 5; i++) statuses.push((await post('busy')).status)
    assert.deepEqual(statuses, [200, 200, 200, 429, 429])
    assert.match(String((await post('busy')).headers['retry-after']), /^[1-9]\d*$/)
    assert.equal(lastOf(lines)?.client, 'busy')
    assert.equal((await post('calm')).status, 200)
  })

  test('there are none while nobody is configured, nor at 0', async () => {
    const yaml = 'limits: { clientRequestsPerSecond: 1, clientBurst: 1 }'
    for (const { post, name } of [
      { ...(await serverOf({}, yaml)), name: undefined },
      { ...(await serverOf({ a: {} }, 'limits: { clientRequestsPerSecond: 0, clientBurst: 1 }')), name: 'a' },
    ]) {
      for (let i = 0; i < 5; i++) assert.equal((await post(name)).status, 200)
    }
  })
})

describe('who is served without a credential', () => {
  test('programs on this machine, while nobody is configured', async () => {
    const { post, handlers } = await serverOf({})
    assert.equal((await post(undefined)).status, 200)
    assert.equal((await metricsOf(handlers, 'main')).status, 200)
    assert.equal((await metricsOf(handlers, 'main', { headers: { 'x-forwarded-for': '192.0.2.1' } })).status, 403)
  })

  test('nobody, once a client is configured: on this machine neither', async () => {
    const { post, handlers, tokens } = await serverOf({ one: {}, ops: { scopes: ['admin'] } })
    assert.equal((await post(undefined)).status, 401)
    assert.equal((await metricsOf(handlers, 'main')).status, 401)
    assert.equal((await metricsOf(handlers, 'main', { headers: { 'x-api-key': tokens.one } })).status, 403)
    assert.equal((await metricsOf(handlers, 'main', { headers: { 'x-api-key': tokens.ops } })).status, 200)
    for (const path of ['/livez', '/readyz']) assert.equal((await handlers.main(callOf('GET', path))).status, 200)
  })

  test('a proxy may pass authenticated requests on, and no others', async () => {
    const { post } = await serverOf({ one: {} })
    const proxied = { 'x-forwarded-for': '192.0.2.1', host: 'keys.example.com', 'x-speke-version': '2.0' }
    assert.equal((await post(undefined, requestFor(), { headers: proxied })).status, 401)
  })

  test('serves players on loopback with open access from this machine only', async () => {
    const { handlers } = await serverOf({ one: {} }, 'playback: { access: open }')
    const path = '/keys/default/movie/9eb4050d-e44b-4802-932e-27d75083e266'
    assert.equal((await handlers.main(callOf('GET', path))).status, 404)
    const proxied = { headers: { 'x-forwarded-for': '192.0.2.1' } }
    assert.equal((await handlers.main(callOf('GET', path, proxied))).status, 403)
  })

  test('everybody, where that is said aloud; a credential that is presented has to be right all the same', async () => {
    const { post } = await serverOf({ one: { tenant: 'a' } }, 'allowAnonymous: true')
    const [anonymous, known] = [await post(undefined), await post('one')]
    assert.deepEqual([anonymous.status, known.status], [200, 200])
    assert.notDeepEqual(anonymous.keys, known.keys)
    assert.equal((await post('ks_0123456789abcdef_wrongwrongwrongwrongwrong')).status, 401)
  })

  test('nobody from elsewhere: without a client the server does not start there', async () => {
    const yaml = 'publicUrl: https://keys.example.com\nplayback: { access: open }'
    await assert.rejects(serverOf({}, yaml, '0.0.0.0'), { code: 'ERR_CONFIG_INVALID', message: /--allow-anonymous/ })
    const { post } = await serverOf({ one: {} }, yaml, '0.0.0.0')
    const elsewhere = { peer: '192.0.2.7' }
    assert.deepEqual(
      [(await post(undefined, requestFor(), elsewhere)).status, (await post('one', requestFor(), elsewhere)).status],
      [401, 200],
    )
  })

  test('metrics have a listener of their own where one is set, and are nowhere else then', async () => {
    const { handlers, tokens } = await serverOf({ ops: { scopes: ['admin'] } }, 'admin: { port: 0 }')
    assert.equal((await metricsOf(handlers, 'main', { headers: { 'x-api-key': tokens.ops } })).status, 404)
    assert.equal((await metricsOf(handlers, 'admin')).status, 200)
    const rebound = { headers: { host: 'evil.example' } }
    assert.equal((await metricsOf(handlers, 'admin', rebound)).status, 403)
    assert.equal((await handlers.admin(callOf('POST', '/copyProtection'))).status, 404)
  })
})

describe('a trusted proxy', () => {
  const yaml = 'trustProxy: ["10.0.0.1"]\nplayback: { access: off }'
  const basicOf = (password: string) => `Basic ${Buffer.from(`encoder:${password}`).toString('base64')}`
  const passwordFile = join(directory, 'password')
  writeFileSync(passwordFile, 'correct horse battery')
  const basic = { credentials: { basic: [{ user: 'encoder', passwordFile }] } }
  const from = (peer: string, more: object = {}) => ({
    peer,
    headers: { 'x-speke-version': '2.0', authorization: basicOf('correct horse battery'), ...more },
  })

  test('accepts Basic that came to it over TLS; from anyone else, or in the clear, it is rejected', async () => {
    const { post } = await serverOf({ encoder: basic }, yaml)
    const ask = async (more: object): Promise<number> => (await post(undefined, requestFor(), more)).status
    assert.equal(await ask(from('10.0.0.1')), 200)
    assert.equal(await ask(from('::ffff:10.0.0.1', { 'x-forwarded-proto': 'https' })), 200)
    assert.equal(await ask(from('10.0.0.1', { 'x-forwarded-proto': 'http' })), 401)
    assert.equal(await ask(from('10.0.0.1', { forwarded: 'for=192.0.2.1;proto=http' })), 401)
    assert.equal(await ask(from('10.0.0.2')), 401)
    assert.equal(await ask({ ...from('10.0.0.2'), secure: true }), 200)
  })

  test('passes on the certificate that it verified (RFC 9440); from anyone else the header is nothing', async () => {
    const der = certificateOf({ publicKey: rsaKeys(2048).publicKey })
    const fingerprint = new X509Certificate(der).fingerprint256
    const { post } = await serverOf({ encoder: { credentials: { certificate: [{ fingerprint }] } } }, yaml)
    const headers = { 'client-cert': `:${der.toString('base64')}:`, 'x-speke-version': '2.0' }
    assert.equal((await post(undefined, requestFor(), { peer: '10.0.0.1', headers })).status, 200)
    assert.equal((await post(undefined, requestFor(), { peer: '10.0.0.2', headers, secure: true })).status, 401)
  })
})

describe('credentials that no request can prove are rejected by name', () => {
  const invalid = async (clients: Readonly<Record<string, object>>, yaml: string, message: RegExp) =>
    assert.rejects(serverOf(clients, yaml), { code: 'ERR_CONFIG_INVALID', message })

  test('without what they need', async () => {
    const sha256 = 'ab'.repeat(32)
    await invalid({ a: { credentials: {} } }, '', /clients\.0\.credentials: expected at least one/)
    await invalid({ a: { credentials: { jwt: [{ subject: 'a' }] } } }, '', /auth\.jwt is not set/)
    await invalid({ a: { credentials: { gateway: [{ caller: '123456789012' }] } } }, '', /auth\.gateway is not set/)
    await invalid(
      { a: { credentials: { certificate: [{ fingerprint: sha256 }] } } },
      '',
      /tls\.clientCa nor trustProxy/,
    )
    await invalid(
      { a: { credentials: { basic: [{ user: 'a', passwordFile: 'x' }] } } },
      '',
      /passwords are accepted over TLS only/,
    )
    await invalid({}, `auth: { gateway: { secretSha256: [${sha256}] } }`, /trusts a gateway only over TLS/)
    await invalid({}, 'auth: { jwt: { issuer: a } }', /auth\.jwt\.audience: is not set.*\nauth\.jwt\.jwks: is not set/)
    await invalid({}, 'tls: { cert: a }', /tls\.key: is not set/)
    await invalid({}, 'tls: { clientCa: a }', /tls\.clientCa: client certificates require TLS/)
    await invalid({ a: { signalingProfile: 'none' } }, '', /clients\.0\.signalingProfile: no signalling profile/)
    await invalid(
      { a: { credentials: { token: [{ id: 'a' }] } } },
      '',
      /token\.0: expected id and sha256, or tokenFile/,
    )
    await invalid(
      { a: { credentials: { basic: [{ user: 'a', passwordHash: 'x' }] } } },
      '',
      /passwordHash: expected a hash/,
    )
    await invalid({ a: { credentials: { signer: [{ name: 'a' }] } } }, '', /signer\.0: expected aesKeyFile/)
  })
})
