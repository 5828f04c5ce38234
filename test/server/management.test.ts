import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { listAuditFiles } from '../../src/adapters/audit-files/reader.ts'
import { SCOPES } from '../../src/auth/clients/client.ts'
import { issueToken } from '../../src/auth/methods/bearer-token.ts'
import { createAuditHeads } from '../../src/operations/audit/heads.ts'
import { verifyAudit } from '../../src/operations/audit/verify.ts'
import { assemble } from '../../src/server/assemble/assemble.ts'
import { openManagement } from '../../src/server/assemble/management.ts'
import { type Config, readConfig } from '../../src/server/config/config.ts'
import { RunningServer } from '../../src/server/start.ts'
import { sharedPostgres } from '../adapters/store/postgres/server.ts'
import { temporaryDirectory } from '../cli/run.ts'
import { CLEARKEY_DASH, KID, KID_2, requestFor, WIDEVINE } from '../protocols/speke/documents.ts'
import { until } from '../until.ts'
import { keptLog, keptMetrics } from './fakes.ts'

const directory = temporaryDirectory()
const SECRET = randomBytes(32).toString('hex')
const SHORT = { keep: '1s', grace: '1s' }
/** Revived however late an encryptor asks on a busy machine. */
const REVIVABLE = { keep: '1s', grace: '1h' }
const RETENTION = {
  classes: { short: SHORT, revivable: REVIVABLE, again: { ...SHORT, afterwards: 'regenerate' } },
  contents: [
    { contentId: 'short-*', class: 'short' },
    { contentId: 'revivable-*', class: 'revivable' },
    { contentId: 'again-*', class: 'again' },
  ],
}

const closing: (() => Promise<unknown> | unknown)[] = []
after(async () => {
  for (const close of closing.reverse()) await close()
})

/** A receiver of events on this machine, and what it got. */
async function receiver() {
  const events: { type: string; subject?: string; data: Record<string, unknown> }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    assert.match(String(request.headers['webhook-signature']), /^v1,/)
    events.push(JSON.parse(Buffer.concat(chunks).toString()))
    response.writeHead(204).end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  closing.push(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, events }
}

/** A server as an operator has it: an encryptor, an operator, events and an audit log. */
async function serve(name: string, store: string, settings: object = {}) {
  const { url, events } = await receiver()
  const tokens: Record<string, string> = {}
  const clientOf = (client: string, more: object) => {
    const { token, credential } = issueToken(randomBytes)
    tokens[client] = token.reveal()
    const sha256 = Buffer.from(credential.sha256).toString('hex')
    return { name: client, credentials: { token: [{ id: credential.id, sha256 }] }, ...more }
  }
  const file = join(directory, `${name}.yaml`)
  const written = {
    port: 0,
    data: join(directory, name),
    retention: { ...RETENTION, sweepMinutes: 0 },
    playback: { access: 'open' },
    events: { webhook: { url, secret: SECRET } },
    audit: { node: 'n1' },
    clients: [clientOf('encoder', {}), clientOf('operator', { scopes: SCOPES })],
    ...settings,
  }
  writeFileSync(file, JSON.stringify(written))
  const config = readConfig({ file, environment: { KEYSPRING_STORE: store } })
  const { log, lines } = keptLog()
  const { metrics, told } = keptMetrics()
  const keyProvider = await assemble(config, log, metrics, { migrate: true })
  const server = await RunningServer.start(config, { keyProvider, log, metrics, version: '9.9.9' })
  let isOpen = true
  const close = async () => {
    if (isOpen) await server.close()
    isOpen = false
  }
  closing.push(close)

  const encrypt = async (contentId: string, systems = [WIDEVINE], kids = [KID]) => {
    const reply = await fetch(`${server.url}/copyProtection`, {
      method: 'POST',
      headers: { 'content-type': 'application/xml', 'x-speke-version': '2.0', 'x-api-key': tokens.encoder ?? '' },
      body: requestFor({ contentId, systems, kids }),
    })
    const xml = await reply.text()
    return { status: reply.status, xml, keys: [...xml.matchAll(/PlainValue>([^<]+)</g)].map(([, key]) => key) }
  }
  const api = async (method: string, path: string, json?: object, base = server.url) => {
    const headers: Record<string, string> = { 'x-api-key': tokens.operator ?? '' }
    if (json !== undefined) headers['content-type'] = 'application/json'
    const reply = await fetch(`${base}${path}`, { method, headers, ...(json && { body: JSON.stringify(json) }) })
    const text = await reply.text()
    return { status: reply.status, text, json: JSON.parse(text) as Record<string, unknown> }
  }
  const play = async (contentId: string) => (await fetch(`${server.url}/keys/default/${contentId}/${KID}`)).status
  return { config, server, encrypt, api, play, events, lines, told, close, tokens, written, file }
}

// Opened here: opened in a test, it would end with that test.
const postgres = await sharedPostgres()
const STORES: readonly [name: string, store: () => Promise<string>][] = [
  ['sqlite', async () => 'sqlite'],
  ['postgres', async () => (await postgres.newUrl()).reveal()],
]

for (const [name, storeOf] of STORES) {
  describe(`what an operator does with keys for years, on ${name}`, () => {
    test('documents of CPIX transfer are created, read, changed by who read them last, and destroyed', async () => {
      const { encrypt, server, tokens } = await serve(`${name}-transfer`, await storeOf())
      const document = requestFor({ contentId: 'series', systems: [WIDEVINE], kids: [KID] })
      const transfer = async (method: string, body?: string, more: Record<string, string> = {}) => {
        const headers = { 'content-type': 'application/xml', 'x-api-key': tokens.operator ?? '', ...more }
        const url = `${server.url}/copyProtectionData/series`
        const reply = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
        const text = await reply.text()
        return {
          status: reply.status,
          etag: reply.headers.get('etag') ?? '',
          key: /PlainValue>([^<]+)</.exec(text)?.[1],
        }
      }
      assert.equal((await transfer('GET')).status, 404)
      const created = await transfer('POST', document)
      assert.deepEqual([created.status, (await transfer('POST', document)).status], [200, 200])
      assert.equal(created.key, (await encrypt('series')).keys[0])
      const read = await transfer('GET')
      assert.deepEqual([read.status, read.key], [200, created.key])
      assert.equal((await transfer('GET', undefined, { 'if-none-match': read.etag })).status, 304)
      assert.equal((await transfer('PUT', document)).status, 428)
      assert.equal((await transfer('PUT', document, { 'if-match': read.etag })).status, 204)
      assert.equal((await transfer('PUT', document, { 'if-match': read.etag })).status, 412)
      assert.equal((await transfer('DELETE')).status, 204)
      assert.equal((await transfer('GET')).status, 410)
      // What is in memory is used for five seconds.
      await until('an encryptor gets 410', async () => (await encrypt('series')).status === 410)
    })

    test('a request that comes before the sweeper destroys what is overdue, records it and tells of it', async () => {
      const { encrypt, events, config, close } = await serve(`${name}-late`, await storeOf())
      const before = await encrypt('again-late')
      // Each request in the grace period renews the content, so that it must stay unasked for longer than that.
      await until('the content has another key', async () => (await encrypt('again-late')).keys[0] !== before.keys[0], {
        everyMs: 2_500,
      })
      await until('the event says that it was destroyed', () =>
        events.some(({ type, data }) => type.endsWith('content.expired') && data.destroyed === true),
      )
      await close()
      const record = recordsOf(config).find(({ action }) => action === 'content.expire')
      assert.deepEqual([record?.contentId, record?.actor.id], ['again-late', 'late-request'])
      assert.match(
        String(record?.reason),
        /^its retention period ended on \d{4}-\d\d-\d\dT\d\d:\d\dZ, and it was requested again/,
      )
    })

    test('list, show, hold, expire, revive, destroy, regenerate, import, resolve, export, audit', async () => {
      const { encrypt, api, play, events, config, close, told } = await serve(name, await storeOf())
      const [movie] = (await encrypt('movie', [WIDEVINE], [KID, KID_2])).keys
      const short = await encrypt('short-1', [CLEARKEY_DASH])
      const revivable = await encrypt('revivable-1', [CLEARKEY_DASH])
      const again = await encrypt('again-1')
      const free = await encrypt('free-1', [CLEARKEY_DASH])
      assert.deepEqual(
        [short, revivable, again, free].map(({ status }) => status),
        [200, 200, 200, 200],
      )
      assert.equal(await play('free-1'), 200)

      const { json: list } = await api('GET', '/api/contents')
      assert.deepEqual(
        (list.contents as { contentId: string; class: string }[]).map((one) => `${one.contentId} ${one.class}`),
        ['again-1 again', 'free-1 forever', 'movie forever', 'revivable-1 revivable', 'short-1 short'],
      )
      await until(
        'the ledger has the period',
        async () => ((await api('GET', '/api/contents/movie')).json.lastPeriods as unknown[]).length === 1,
      )
      const held = await api('PUT', '/api/contents/movie/hold', { reason: 'case 17' })
      assert.equal(held.status, 200)
      assert.equal((await api('DELETE', '/api/contents/movie?reason=x')).json.code, 'ERR_CONTENT_HELD')

      await until('players get 410', async () => (await play('revivable-1')) === 410)
      assert.equal((await api('GET', '/api/contents/revivable-1')).json.state, 'expired')
      assert.deepEqual((await encrypt('revivable-1', [CLEARKEY_DASH])).keys, revivable.keys)
      await until('players get the key again', async () => {
        await encrypt('revivable-1', [CLEARKEY_DASH])
        return (await play('revivable-1')) === 200
      })

      const destroyed = async (contentId: string) => {
        await api('POST', '/api/sweep')
        return (await api('GET', `/api/contents/${contentId}`)).json.state === 'destroyed'
      }
      await until('short-1 is destroyed', () => destroyed('short-1'))
      await until('again-1 is destroyed', () => destroyed('again-1'))
      await until('encryptors get 410', async () => (await encrypt('short-1', [CLEARKEY_DASH])).status === 410)
      assert.equal(await play('short-1'), 410)
      await until('the content gets a new secret', async () => (await encrypt('again-1')).status === 200)
      const renewed = await encrypt('again-1')
      assert.notDeepEqual(renewed.keys, again.keys)
      assert.equal((await api('GET', '/api/contents/again-1')).json.epoch, 1)

      const key = '00112233445566778899aabbccddeeff'
      const imported = await api('POST', '/api/keys/import', { keys: [{ contentId: 'brought', kid: KID, key }] })
      assert.equal(imported.json.stored, 1, imported.text)
      assert.deepEqual((await encrypt('brought')).keys, [Buffer.from(key, 'hex').toString('base64')])
      const resolved = await api('POST', '/api/resolve', { kids: [KID], contentId: 'movie' })
      assert.equal((resolved.json.keys as { key: string }[])[0]?.key, movie)
      const exported = await api('POST', '/api/keys/export', { contentId: 'brought', format: 'json', clear: true })
      assert.equal((exported.json.keys as { key: string }[])[0]?.key, key)
      assert.equal((await api('GET', `/api/kids/${KID_2}`)).status, 200)

      const types = ['key.issued', 'key.imported', 'key.exported', 'content.expired', 'request.refused']
      const seen = () => new Set(events.map(({ type }) => type.replace(/^.*keyspring\./, '')))
      await until('every event arrived', () => types.every((type) => seen().has(type)))
      const firsts = events.filter(({ type, subject }) => type.endsWith('key.issued') && subject === 'movie')
      assert.equal(firsts.length, 1)
      assert.ok(told.some(([what, outcome]) => what === 'contentsSwept' && outcome === 'destroyed'))
      assert.ok(!JSON.stringify(events).includes(movie ?? '?'))

      await close()
      const { management, close: closeStored } = await openManagement(config)
      const heads = createAuditHeads(management)
      const report = await verifyAudit({
        listed: await heads.list(),
        files: listAuditFiles(join(config.data, 'audit')),
        heads,
      })
      await closeStored()
      assert.equal(report.problems, 0, JSON.stringify(report.findings))
      const records = recordsOf(config)
      for (const action of ['key.issue', 'key.import', 'key.export', 'key.resolve', 'content.hold', 'content.expire']) {
        assert.ok(
          records.some((record) => record.action === action),
          action,
        )
      }
      const issue = records.find(({ action, contentId }) => action === 'key.issue' && contentId === 'movie')
      assert.deepEqual(
        { actor: issue?.actor, kids: issue?.kids, systemIds: issue?.systemIds, keys: issue?.keys },
        {
          actor: { method: 'token', id: 'encoder', address: '127.0.0.1' },
          kids: [KID, KID_2],
          systemIds: [WIDEVINE],
          keys: 2,
        },
      )
    })
  })
}

interface WrittenRecord {
  readonly action: string
  readonly contentId?: string
  readonly reason?: string
  readonly actor: { readonly method: string; readonly id: string; readonly address?: string }
  readonly kids?: readonly string[]
  readonly systemIds?: readonly string[]
  readonly keys?: number
}

function recordsOf({ data }: Config): readonly WrittenRecord[] {
  const day = new Date().toISOString().slice(0, 10)
  const text = readFileSync(join(data, 'audit', 'n1', `${day}.jsonl`), 'utf8')
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as WrittenRecord)
}

describe('where the management API is', () => {
  test('with an admin listener it is there alone, and wants a credential there', async () => {
    const { server, api } = await serve('admin', 'memory', { admin: { port: 0 } })
    const { adminUrl = '' } = server
    for (const path of ['/api/contents', '/openapi.json', '/api/docs']) {
      assert.equal((await fetch(`${server.url}${path}`)).status, 404, path)
      assert.equal((await fetch(`${adminUrl}${path}`)).status, 401, path)
    }
    assert.equal((await api('GET', '/api/contents', undefined, adminUrl)).status, 200)
  })

  test('it can be switched off, by a reload too', async () => {
    const { server, api, file, written } = await serve('off', 'memory')
    assert.equal((await api('GET', '/api/contents')).status, 200)
    writeFileSync(file, JSON.stringify({ ...written, api: { enabled: false } }))
    await server.reload(readConfig({ file, environment: { KEYSPRING_STORE: 'memory' } }))
    assert.equal((await fetch(`${server.url}/api/contents`)).status, 404)
  })

  test('without clients it opens for the bootstrap token, and not for pages in a browser', async () => {
    const { server } = await serve('open', 'memory', { clients: [] })
    const authorization = `Bearer ${readFileSync(server.managementTokenFile ?? '', 'utf8').trim()}`
    assert.equal((await fetch(`${server.url}/api/contents`)).status, 401)
    assert.equal((await fetch(`${server.url}/api/contents`, { headers: { authorization } })).status, 200)
    const headers = { authorization, origin: 'https://evil.example' }
    const page = await fetch(`${server.url}/api/sweep`, { method: 'POST', headers })
    assert.equal(page.status, 403)
    const proxied = { authorization, 'x-forwarded-for': '192.0.2.1' }
    const forwarded = await fetch(`${server.url}/api/contents`, { headers: proxied })
    assert.equal(forwarded.status, 403)
  })

  test('with anonymous callers, nobody manages keys from another machine', async () => {
    const { server } = await serve('anonymous', 'memory', { clients: [], allowAnonymous: true })
    const forwarded = await fetch(`${server.url}/api/contents`, { headers: { 'x-forwarded-for': '192.0.2.1' } })
    assert.deepEqual([forwarded.status, ((await forwarded.json()) as { code: string }).code], [403, 'ERR_FORBIDDEN'])
  })

  test('an encryptor may not use it', async () => {
    const { server, tokens } = await serve('encryptor', 'memory')
    const reply = await fetch(`${server.url}/api/contents`, { headers: { 'x-api-key': tokens.encoder ?? '' } })
    assert.equal(reply.status, 403)
  })
})

describe('a reload', () => {
  test('changes retention rules for the contents that are stored', async () => {
    const { server, api, encrypt, file, written } = await serve('rules', 'memory')
    await encrypt('movie')
    assert.equal((await api('GET', '/api/contents/movie')).json.class, 'forever')
    writeFileSync(file, JSON.stringify({ ...written, retention: { ...RETENTION, default: 'short', sweepMinutes: 0 } }))
    await server.reload(readConfig({ file, environment: { KEYSPRING_STORE: 'memory' } }))
    assert.equal((await api('GET', '/api/contents/movie')).json.class, 'short')
    assert.equal((await api('POST', '/api/sweep')).json.adopted, 1)
    assert.equal((await api('GET', '/api/retention')).json.default, 'short')
  })
})

describe('records of what is issued', () => {
  test('that must be written before the answer: a server that cannot write them does not start', async () => {
    const blocked = join(directory, 'blocked')
    writeFileSync(blocked, 'a file where the directory should be')
    const audit = { issue: 'require', node: 'n1', directory: blocked }
    await assert.rejects(serve('require', 'sqlite', { audit }), { code: 'ERR_AUDIT_UNAVAILABLE' })
  })

  test('that must be written come before the answer: without them nothing leaves', async () => {
    const lost = join(directory, 'lost')
    const audit = { issue: 'require', node: 'n1', directory: lost }
    const { encrypt, lines } = await serve('lost', 'sqlite', { audit })
    assert.equal((await encrypt('movie')).status, 200)
    rmSync(lost, { recursive: true })
    writeFileSync(lost, 'a file where the directory was')
    const { status, keys } = await encrypt('series')
    assert.deepEqual({ status, keys }, { status: 503, keys: [] })
    assert.ok(lines.some(({ fields }) => fields.error?.code === 'ERR_AUDIT_UNAVAILABLE'))
  })

  test('that are spooled keep nobody waiting', async () => {
    const blocked = join(directory, 'blocked-too')
    writeFileSync(blocked, '')
    const { encrypt } = await serve('spool', 'sqlite', { audit: { node: 'n1', directory: blocked } })
    assert.equal((await encrypt('movie')).status, 200)
  })
})
