import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlayerRouteOptions } from '../../src/http/routes/player.ts'
import { openAccess } from '../../src/protocols/playback/access.ts'
import { corsOf } from '../../src/protocols/playback/cors.ts'
import type { SpekeAnswer } from '../../src/protocols/speke/answer.ts'
import type { KeyProvider } from '../../src/server/assemble/key-provider.ts'
import { type Config, readConfig } from '../../src/server/config/config.ts'
import { type RunningServer, startServer } from '../../src/server/start.ts'
import { keptCallers, keptLog, keptMetrics, keptOperations } from './fakes.ts'

const configOf = (environment: Record<string, string> = {}): Config =>
  readConfig({ environment: { KEYSPRING_PORT: '0', ...environment } })

const PLAYERS: PlayerRouteOptions = {
  access: openAccess,
  cors: corsOf([]),
  token: {},
  now: () => 0,
  keys: { deliver: async () => assert.fail('no player asks'), license: async () => assert.fail('no player asks') },
}

const nobody = (): never => assert.fail('nobody exchanges documents')
const NO_TRANSFER = { post: nobody, get: nobody, put: nobody, delete: nobody }
const OPERATIONS = await keptOperations(configOf({ KEYSPRING_STORE: 'memory' }))

const ANSWER: SpekeAnswer = {
  body: Buffer.alloc(1),
  tenant: 'default',
  client: 'test',
  contentId: 'movie',
  spekeVersion: '2.0',
  keys: 1,
  first: false,
  records: [],
}

/** Answers with the profile's name and the public URL. */
function keyProviderOf(changes: Partial<KeyProvider> = {}): KeyProvider {
  return {
    answerWith: (config, publicUrl) => ({
      answer: async () => ({ ...ANSWER, body: Buffer.from(`${config.signalingProfile} ${publicUrl}`) }),
    }),
    transferWith: () => NO_TRANSFER,
    operations: OPERATIONS,
    loadCallers: keptCallers(),
    playersWith: () => PLAYERS,
    widevineWith: () => undefined,
    isReady: async () => true,
    flush: async () => {},
    notices: [],
    close: async () => {},
    ...changes,
  }
}

async function startWith(config: Config, keyProvider = keyProviderOf()) {
  const { log, lines } = keptLog()
  const { metrics, told } = keptMetrics()
  return { server: await startServer(config, { keyProvider, log, metrics, version: '9.9.9' }), lines, told }
}

const ask = (server: RunningServer, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${server.url}/copyProtection`, {
    method: 'POST',
    body: '<CPIX/>',
    headers: { 'content-type': 'text/xml', ...headers },
  })

test('the public URL is the address that is listened on, unless one is set', async () => {
  const { server } = await startWith(configOf())
  assert.equal(await (await ask(server)).text(), `default ${server.url}`)
  await server.close()
  const { server: other } = await startWith(configOf({ KEYSPRING_PUBLIC_URL: 'https://keys.example.com/' }))
  assert.equal(await (await ask(other)).text(), 'default https://keys.example.com')
  await other.close()
})

test('a reload changes answers, and says which settings need a restart', async () => {
  const { server, lines } = await startWith(configOf())
  await server.reload(configOf({ KEYSPRING_SIGNALING_PROFILE: 'mediapackage-v2' }))
  assert.match(await (await ask(server)).text(), /^mediapackage-v2 /)
  assert.equal(lines.at(-1)?.message, 'configuration reloaded')
  await server.reload(configOf({ KEYSPRING_PORT: '9', KEYSPRING_DATA: '/elsewhere', KEYSPRING_LIMITS_DEPTH: '9' }))
  assert.deepEqual(lines.at(-1)?.fields.settings, ['port', 'data'])
  await server.close()
})

test('a forwarded request is refused until its proxy is trusted or everyone is', async () => {
  const { server } = await startWith(configOf())
  const forwarded = { 'x-forwarded-for': '192.0.2.1' }
  assert.equal((await ask(server, forwarded)).status, 403)
  for (const lifted of ['KEYSPRING_TRUST_PROXY', 'KEYSPRING_ALLOW_ANONYMOUS']) {
    await server.reload(configOf({ [lifted]: lifted === 'KEYSPRING_TRUST_PROXY' ? '127.0.0.1' : 'true' }))
    assert.equal((await ask(server, forwarded)).status, 200, lifted)
  }
  await server.close()
})

test('a configuration that cannot be answered by does not leave a listener behind', async () => {
  const keyProvider = keyProviderOf({
    answerWith: () => {
      throw new Error('no')
    },
  })
  await assert.rejects(startWith(configOf(), keyProvider), /no/)
})

for (const [what, isReady] of [
  ['says no', async () => false],
  ['fails', () => Promise.reject(new Error('hunter2'))],
  ['does not answer', () => new Promise<boolean>(() => undefined)],
] as const) {
  test(`is not ready while the store ${what}`, async () => {
    const { server } = await startWith(configOf(), keyProviderOf({ isReady }))
    const response = await fetch(`${server.url}/readyz`)
    assert.deepEqual({ status: response.status, text: await response.text() }, { status: 503, text: 'unready' })
    assert.equal((await fetch(`${server.url}/livez`)).status, 200)
    await server.close()
  })
}

test('the keys are closed after the last answer', async () => {
  const order: string[] = []
  const asked = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const { server } = await startWith(
    configOf(),
    keyProviderOf({
      answerWith: () => ({
        async answer() {
          asked.resolve()
          await go.promise
          order.push('answered')
          return ANSWER
        },
      }),
      close: async () => void order.push('closed'),
    }),
  )
  const response = ask(server)
  await asked.promise
  const closed = server.close()
  go.resolve()
  assert.equal((await response).status, 200)
  await closed
  assert.deepEqual(order, ['answered', 'closed'])
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
  await server.close()
})
