import assert from 'node:assert/strict'
import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { rsaSigner, signWidevineRequest, type WidevineSigner } from '../../../src/auth/methods/widevine-signer.ts'
import { signUrl } from '../../../src/auth/players/signed-url.ts'
import { mintPlayerToken, type PlayerGrant, type PlayerTokenKey } from '../../../src/auth/players/token.ts'
import { toKid } from '../../../src/formats/cenc.ts'
import { assemble } from '../../../src/server/assemble/assemble.ts'
import { readConfig } from '../../../src/server/config/config.ts'
import { RunningServer } from '../../../src/server/start.ts'
import { VECTORS } from '../../protocols/widevine/requesting.ts'
import { keptLog, keptMetrics } from '../fakes.ts'

const folder = mkdtempSync(join(tmpdir(), 'keyspring-playback-'))
const closing: (() => Promise<unknown> | unknown)[] = [() => rmSync(folder, { recursive: true })]
after(async () => {
  for (const close of closing.reverse()) await close()
})

const SPEKE = readFileSync(new URL('../../../docs/examples/hls-aes-128-v1.xml', import.meta.url))
const KID = toKid('a86b3d17-50e2-4f94-b7c1-2d9e6f0a8b31') ?? assert.fail()
const CONTENT = { tenant: 'default', contentId: 'sample-channel' }
const SECRET = randomBytes(32).toString('hex')

function fileOf(name: string, text: string | Uint8Array): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** A server with a content in it, and the key that its encryptor was given. */
async function serve(settings: object = {}) {
  const file = fileOf('keyspring.yaml', JSON.stringify({ port: 0, store: 'memory', ...settings }))
  const config = readConfig({ file, environment: {} })
  const { log } = keptLog()
  const { metrics } = keptMetrics()
  const keyProvider = await assemble(config, log, metrics)
  const server = await RunningServer.start(config, { keyProvider, log, metrics, version: '0.0.0' })
  closing.push(() => server.close())
  const answer = await fetch(`${server.url}/copyProtection`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml' },
    body: SPEKE,
  })
  const xml = await answer.text()
  const [, key = ''] = /PlainValue>([^<]+)</.exec(xml) ?? []
  const [, uri = ''] = /URIExtXKey>([^<]+)</.exec(xml) ?? []
  return {
    url: server.url,
    key,
    keyUrl: Buffer.from(uri, 'base64').toString(),
    /** The status of a request for the key, and whether it was the key. */
    async get(path = `/keys/default/sample-channel/${KID}`, headers: Record<string, string> = {}) {
      const reply = await fetch(path.startsWith('http') ? path : `${server.url}${path}`, { headers })
      const isKey = Buffer.from(await reply.arrayBuffer()).toString('base64') === key
      return reply.status === 200 ? (isKey ? 'the key' : 'something else') : reply.status
    },
  }
}

/** A service on this machine. */
async function serviceOf(listener: RequestListener): Promise<string> {
  const service = createServer(listener)
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))
  closing.push(() => service.close())
  return `http://127.0.0.1:${(service.address() as AddressInfo).port}`
}

const granted: PlayerGrant = { tenant: 'default', contentIds: ['sample-*'], expiresAt: Date.now() + 3_600_000 }
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

test('on loopback players need nothing, and the key is the one that encrypts', async () => {
  const { get, keyUrl, url } = await serve()
  assert.equal(keyUrl, `${url}/keys/default/sample-channel/${KID}`)
  assert.equal(await get(keyUrl), 'the key')
  assert.equal(await get(`/keys/default/no-such-content/${KID}`), 404)
})

describe('playback.access: jwt', () => {
  const ed = generateKeyPairSync('ed25519')
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const set = {
    keys: [
      { ...ed.publicKey.export({ format: 'jwk' }), kid: 'ed', use: 'sig' },
      { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'rsa', alg: 'RS256' },
      { kty: 'EC', crv: 'P-256', kid: 'other', x: '', y: '' },
    ],
  }
  const ED: PlayerTokenKey = { id: 'ed', algorithm: 'EdDSA', key: ed.privateKey }
  const RSA: PlayerTokenKey = { id: 'rsa', algorithm: 'RS256', key: rsa.privateKey }

  test('with a secret: header, query and cookie carry tokens, where they are named', async () => {
    const { get } = await serve({
      playback: { access: 'jwt', jwt: { secret: SECRET }, token: { query: 'token', cookie: 'playback' } },
    })
    const path = `/keys/default/sample-channel/${KID}`
    const token = await mintWith(SECRET, granted)
    assert.equal(await get(path), 401)
    assert.equal(await get(path, bearer(token)), 'the key')
    assert.equal(await get(`${path}?token=${token}`), 'the key')
    assert.equal(await get(path, { cookie: `a=b; playback=${token}` }), 'the key')
    assert.equal(await get(path, bearer(await mintWith(SECRET, { ...granted, contentIds: ['other'] }))), 403)
    assert.equal(await get(path, bearer(await mintWith(SECRET, { ...granted, expiresAt: Date.now() - 2_000 }))), 401)
    assert.equal(await get(path, bearer(await mintWith('0'.repeat(64), granted))), 401)
  })

  test('not elsewhere', async () => {
    const { get } = await serve({ playback: { access: 'jwt', jwt: { secret: SECRET } } })
    const token = await mintWith(SECRET, granted)
    assert.equal(await get(`/keys/default/sample-channel/${KID}?token=${token}`), 401)
  })

  test('with a key set in a file, and with one that is fetched', async () => {
    const published = await serviceOf((_request, response) => response.end(JSON.stringify(set)))
    for (const jwks of [fileOf('jwks.json', JSON.stringify(set)), `${published}/jwks.json`]) {
      const { get } = await serve({ playback: { access: 'jwt', jwt: { jwks } } })
      for (const key of [ED, RSA]) {
        const token = await mintPlayerToken(key, granted, Date.now())
        assert.equal(await get(undefined, bearer(token)), 'the key', `${key.algorithm} ${jwks}`)
      }
      const stranger = { ...ED, key: generateKeyPairSync('ed25519').privateKey }
      assert.equal(await get(undefined, bearer(await mintPlayerToken(stranger, granted, Date.now()))), 401)
    }
  })

  test('lets one subject ask so often, and no more', async () => {
    const { get } = await serve({
      playback: { access: 'jwt', jwt: { secret: SECRET }, rateLimit: { perSecond: 1, burst: 2 } },
    })
    const [one, two] = [
      bearer(await mintWith(SECRET, { ...granted, subject: 'one' })),
      bearer(await mintWith(SECRET, { ...granted, subject: 'two' })),
    ]
    const replies = [await get(undefined, one), await get(undefined, one), await get(undefined, one)]
    assert.deepEqual(replies, ['the key', 'the key', 429])
    assert.equal(await get(undefined, two), 'the key')
  })
})

describe('playback.access: signed-url', () => {
  test('opens the key URL of an answer when its placeholder is replaced by a signature', async () => {
    const keyFiles = [`2026=${fileOf('url-2026', `${SECRET}\n`)}`, `2027=${fileOf('url-2027', `${SECRET}2027`)}`]
    const { get, keyUrl } = await serve({
      playback: { access: 'signed-url', signedUrl: { keyFiles }, urlQuery: '{SIGNATURE}' },
    })
    assert.match(keyUrl, /\?\{SIGNATURE\}$/)
    const signed = (key: string, kid = KID, expiresAt = Date.now() + 60_000) => {
      const signing = { id: key, key: keyOf(key === '2026' ? SECRET : `${SECRET}2027`) }
      return keyUrl.replace('{SIGNATURE}', signUrl(signing, { ...CONTENT, kid }, expiresAt))
    }
    assert.equal(await get(signed('2026')), 'the key')
    assert.equal(await get(signed('2027')), 'the key')
    assert.equal(await get(keyUrl), 401)
    assert.equal(await get(signed('2026', KID, Date.now() - 2_000)), 401)
    assert.equal(await get(signed('2026', toKid(KID.replace('a', 'b')))), 401)
  })
})

describe('playback.access: callback', () => {
  const asking = async (answer: RequestListener, settings: object = {}) => {
    const url = await serviceOf(answer)
    return serve({ playback: { access: 'callback', callback: { url, ...settings }, token: { query: 'token' } } })
  }

  test('asks a service what a player may have', async () => {
    const asked: unknown[] = []
    const { get } = await asking(async (request, response) => {
      const question = JSON.parse((await request.toArray()).join(''))
      asked.push(question)
      response.end(JSON.stringify({ allow: question.token === 'good', ttl: 60 }))
    })
    const path = `/keys/default/sample-channel/${KID}`
    const agent = { 'user-agent': 'player/1' }
    assert.equal(await get(`${path}?token=good`, agent), 'the key')
    assert.equal(await get(`${path}?token=good`, agent), 'the key')
    assert.equal(await get(`${path}?token=bad`, agent), 403)
    const question = { ...CONTENT, kids: [KID], ip: '127.0.0.1', userAgent: 'player/1' }
    assert.deepEqual(asked, [
      { ...question, token: 'good' },
      { ...question, token: 'bad' },
    ])
  })

  const FAILURES: Readonly<Record<string, RequestListener>> = {
    fails: (_request, response) => response.writeHead(500).end('{"allow": true}'),
    redirects: (_request, response) => response.writeHead(307, { location: '/elsewhere' }).end(),
    'says too much': (_request, response) => response.end(`{"allow": true, "a": "${'a'.repeat(100_000)}"}`),
    'is silent': () => undefined,
  }
  for (const [how, listener] of Object.entries(FAILURES)) {
    test(`lets no key out when the service ${how}`, async () => {
      const { get } = await asking(listener, { timeoutMs: 200 })
      assert.equal(await get(), 503)
    })
  }

  test('tells the address that a trusted proxy names, and nobody else', async () => {
    const asked: string[] = []
    const url = await serviceOf(async (request, response) => {
      asked.push(JSON.parse((await request.toArray()).join('')).ip)
      response.end('{"allow": true}')
    })
    const playback = { access: 'callback', callback: { url } }
    const trusting = await serve({ playback, allowAnonymous: true, trustProxy: ['127.0.0.1', '192.0.2.7'] })
    await trusting.get(undefined, { 'x-forwarded-for': '203.0.113.9, 198.51.100.4, 192.0.2.7' })
    const wary = await serve({ playback, allowAnonymous: true })
    await wary.get(undefined, { 'x-forwarded-for': '198.51.100.4' })
    assert.deepEqual(asked, ['198.51.100.4', '127.0.0.1'])
  })
})

describe('widevine.signers', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString()
  const aes = {
    name: VECTORS.signer,
    contentIds: ['movie-*'],
    aesKeyFile: fileOf('signer.key', `${VECTORS.aesKey}\n`),
    aesIvFile: fileOf('signer.iv', VECTORS.aesIv),
  }
  const signers = [aes, { name: 'rsa', tenant: 'studio', rsaPublicKeyFile: fileOf('signer.pem', pem) }]
  const AES: WidevineSigner = {
    kind: 'aes',
    key: keyOf(Buffer.from(VECTORS.aesKey, 'hex')),
    iv: Buffer.from(VECTORS.aesIv, 'hex'),
  }

  async function ask(url: string, name: string, contentId: string, signer?: WidevineSigner): Promise<string> {
    const request = Buffer.from(
      JSON.stringify({ content_id: Buffer.from(contentId).toString('base64'), tracks: [{ type: 'SD' }] }),
    )
    const signature = signer === undefined ? '' : signWidevineRequest(signer, request).toString('base64')
    const body = JSON.stringify({ request: request.toString('base64'), signature, signer: name })
    const reply = await fetch(`${url}/widevine/getcontentkey/${name}`, { method: 'POST', body })
    if (reply.status !== 200) return String(reply.status)
    const { response } = (await reply.json()) as { readonly response: string }
    return JSON.parse(Buffer.from(response, 'base64').toString()).status
  }

  test('are known by what they sign, and get the contents that are theirs', async () => {
    const { url } = await serve({ widevine: { signers } })
    assert.equal(await ask(url, VECTORS.signer, 'movie-1', AES), 'OK')
    assert.equal(await ask(url, 'rsa', 'anything', rsaSigner(pemOf(rsa.privateKey))), 'OK')
    assert.equal(await ask(url, VECTORS.signer, 'series-1', AES), 'ACCESS_DENIED')
    assert.equal(await ask(url, 'rsa', 'movie-1', AES), 'SIGNATURE_FAILED')
    assert.equal(await ask(url, 'stranger', 'movie-1', AES), 'SIGNATURE_FAILED')
    assert.equal(await ask(url, VECTORS.signer, 'movie-1'), 'SIGNATURE_FAILED')
  })

  test('need not be named to try it on loopback', async () => {
    const { url } = await serve()
    assert.equal(await ask(url, 'anyone', 'movie-1'), 'OK')
  })
})

test('every problem of the settings for players is reported at once, without a value', () => {
  const secret = 'hunter2-hunter2'
  const settings = {
    playback: { access: 'jwt', jwt: { jwks: fileOf('bad.json', `{"keys": [{"k": "${secret}"}]}`) } },
    widevine: {
      signers: [
        { name: 'a', aesKeyFile: fileOf('bad.key', secret), aesIvFile: fileOf('bad.iv', secret) },
        { name: 'a', aesKeyFile: join(folder, 'none') },
        { name: 'b', rsaPublicKeyFile: fileOf('bad.pem', secret) },
      ],
    },
  }
  assert.throws(
    () => readConfig({ file: fileOf('bad.yaml', JSON.stringify(settings)), environment: {} }),
    (error: Error) => {
      const lines = error.message.split('\n')
      assert.deepEqual(
        lines.map((line) => line.split(':')[0]),
        [
          'playback.jwt.jwks',
          'widevine.signers.0',
          'widevine.signers.1.name',
          'widevine.signers.1',
          'widevine.signers.2',
        ],
      )
      assert.doesNotMatch(error.message, /hunter2/)
      return true
    },
  )
})

for (const [access, missing] of [
  ['jwt', /playback\.jwt: expected secret or jwks/],
  ['signed-url', /playback\.signedUrl: expected secret or keyFiles/],
  ['callback', /playback\.callback\.url: is not set/],
] as const) {
  test(`playback.access: ${access} wants what it decides by`, () => {
    assert.throws(() => readConfig({ environment: { KEYSPRING_PLAYBACK_ACCESS: access } }), missing)
  })
}

test('a secret comes from a file too, and is never printed', () => {
  const file = fileOf('secret', `${SECRET}\n`)
  const config = readConfig({
    environment: { KEYSPRING_PLAYBACK_ACCESS: 'jwt', KEYSPRING_PLAYBACK_JWT_SECRET_FILE: file },
  })
  const { access } = config.playback
  assert.ok(access.kind === 'jwt')
  assert.deepEqual(access.keys.reveal()[0]?.key.export(), Buffer.from(SECRET))
  assert.doesNotMatch(JSON.stringify(config), new RegExp(SECRET))
})

function keyOf(secret: string | Uint8Array) {
  return createSecretKey(Buffer.from(secret))
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function mintWith(secret: string, grant: PlayerGrant): Promise<string> {
  return mintPlayerToken({ id: 'secret', algorithm: 'HS256', key: keyOf(secret) }, grant, Date.now())
}
