import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { startFakeKms } from '../adapters/root-keys/fake-kms.ts'
import { startFakeSecrets } from '../adapters/root-keys/fake-secrets.ts'
import { startDynamoDb } from '../adapters/store/dynamodb/server.ts'
import { PACKAGE } from '../cli/run.ts'
import { AES_128, KIDS, PLAYREADY, requestFor, WIDEVINE } from '../protocols/speke/documents.ts'
import { EVENTS, eventOf, readResult, recorded } from '../server/lambda/events.ts'
import { bundle, environmentOn, type Instance, startInstance } from '../server/lambda/instance.ts'

const JWT_SECRET = 'a-secret-for-the-tokens-of-players-of-32-bytes'
const SECRET_ARN = 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:players-AbCdEf'
const ENCRYPTOR = 'arn:aws:sts::111122223333:assumed-role/SpekeRole/MediaPackage'
const STRANGER = 'arn:aws:sts::999999999999:assumed-role/SpekeRole/MediaPackage'

const [built, dynamoDb, kms, secrets] = await Promise.all([
  bundle(),
  startDynamoDb(),
  startFakeKms(),
  startFakeSecrets({ [SECRET_ARN]: JWT_SECRET }, {}),
])
const instances: Instance[] = []
after(async () => {
  await Promise.all(instances.map((one) => one.stop()))
  built.remove()
  await Promise.all([dynamoDb.remove(), kms.close(), secrets.close()])
})

const environmentOf = (table: string, changes: Readonly<Record<string, string>> = {}) => ({
  ...environmentOn(dynamoDb, table, kms),
  AWS_LAMBDA_FUNCTION_NAME: 'issuer',
  AWS_ENDPOINT_URL_SECRETS_MANAGER: secrets.url,
  KEYSPRING_AUTH_GATEWAY_CALLERS: '111122223333',
  KEYSPRING_PUBLIC_URL: 'https://keys.example.com',
  KEYSPRING_PLAYBACK_ACCESS: 'jwt',
  KEYSPRING_PLAYBACK_JWT_SECRET_SECRET: SECRET_ARN,
  ...changes,
})
const start = (table: string, changes?: Readonly<Record<string, string>>): Instance => {
  const instance = startInstance(built.file, environmentOf(table, changes))
  instances.push(instance)
  return instance
}

const HEADERS = { 'Content-Type': 'application/xml', 'X-Speke-Version': '2.0' }
const spekeEvent = (
  contentId: string,
  caller: string | undefined = ENCRYPTOR,
  kids: readonly string[] = KIDS.slice(0, 2),
) =>
  eventOf('rest-api', {
    method: 'POST',
    path: '/copyProtection',
    headers: HEADERS,
    body: requestFor({ contentId, kids, systems: [WIDEVINE, PLAYREADY] }),
    caller,
  })
const keysIn = (xml: string): readonly string[] => [...xml.matchAll(/PlainValue>([^<]+)</g)].map(([, key = '']) => key)
const itemsOf = async (TableName: string) => (await dynamoDb.client.send(new ScanCommand({ TableName }))).Items ?? []

describe('the bundle', () => {
  test('is reproducible, and so is its zip', async () => {
    const again = await bundle()
    assert.equal(again.sha256, built.sha256)
    assert.deepEqual(readFileSync(again.zip), readFileSync(built.zip))
    again.remove()
  })

  test('is in a valid zip, with the licences of everything in it', () => {
    const unzip = (...args: readonly string[]) => execFileSync('unzip', [...args], { maxBuffer: 1e8 })
    assert.equal(unzip('-Z1', built.zip).toString(), 'index.mjs\nNOTICES.txt\n')
    assert.ok(unzip('-p', built.zip, 'index.mjs').equals(readFileSync(built.file)))
    const notices = unzip('-p', built.zip, 'NOTICES.txt').toString()
    for (const name of ['keyspring', 'jose', 'pino', 'yaml', 'zod'])
      assert.ok(new RegExp(`^${name} \\d`, 'm').test(notices), name)
    assert.ok(notices.includes('Apache License') && notices.includes('Filip Skokan'))
  })

  test('contains no path of the machine that built it', () => {
    assert.ok(!readFileSync(built.file, 'utf8').includes(PACKAGE))
  })
})

describe('a function', () => {
  test('returns keys to an encryptor that signs with IAM, the same after a cold start, and logs none', async () => {
    const table = await dynamoDb.newTable()
    const first = start(table, { KEYSPRING_LOG_REQUESTS: 'true', KEYSPRING_LOG_LEVEL: 'debug' })
    const answer = readResult(await first.invoke(spekeEvent('movie')))
    assert.equal(answer.status, 200, answer.bytes.toString())
    assert.equal(answer.headers['content-type'], 'application/xml')
    assert.equal(answer.headers['x-speke-version'], '2.0')
    const keys = keysIn(answer.bytes.toString())
    assert.equal(keys.length, 2)
    const again = readResult(await first.invoke(spekeEvent('movie')))
    assert.deepEqual(keysIn(again.bytes.toString()), keys)
    const output = first.output()
    await first.stop()

    const second = start(table, { KEYSPRING_LOG_REQUESTS: 'true', KEYSPRING_LOG_LEVEL: 'debug' })
    const later = readResult(await second.invoke(spekeEvent('movie')))
    assert.deepEqual(keysIn(later.bytes.toString()), keys)

    const said = `${output}${second.output()}${JSON.stringify(await itemsOf(table))}`
    assert.match(said, /first keys of a content issued/)
    for (const key of keys) {
      const bytes = Buffer.from(key, 'base64')
      for (const text of [key, key.replace(/=+$/, ''), bytes.toString('base64url'), bytes.toString('hex')]) {
        assert.ok(!said.toLowerCase().includes(text.toLowerCase()))
      }
    }
    assert.ok(!said.includes(JWT_SECRET))
  })

  test('writes every log line, including metrics, before it answers', async () => {
    const instance = start(await dynamoDb.newTable())
    await instance.invoke(spekeEvent('movie'))
    const lines = instance
      .output()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    const metrics = lines.filter(({ _aws }) => _aws !== undefined)
    const counted = metrics.find((one) => one.keyspring_requests_total !== undefined)
    assert.deepEqual([counted.Service, counted.status, counted.keyspring_issued_keys_total], ['issuer', '200', 2])
    const [logged] = lines.filter(({ level }) => level === 'info')
    assert.deepEqual([logged.client, logged.contentId, logged.keys], ['gateway', 'movie', 2])
  })

  test('writes its ledger before it answers', async () => {
    const table = await dynamoDb.newTable()
    await start(table).invoke(spekeEvent('movie'))
    const items = await itemsOf(table)
    assert.equal(items.filter(({ pk }) => pk?.S?.startsWith('ledger ')).length, 1)
    assert.equal(items.filter(({ pk }) => pk?.S?.startsWith('kid ')).length, 2)
  })

  test('rejects unknown callers, callers without permission, and forged gateway headers', async () => {
    const instance = start(await dynamoDb.newTable())
    const forged = {
      ...HEADERS,
      'X-Speke-Caller-Arn': ENCRYPTOR,
      'X-Speke-Account': '111122223333',
      'X-Keyspring-Gateway-Secret': 'guessed',
    }
    const asForged = {
      method: 'POST',
      path: '/copyProtection',
      headers: forged,
      body: requestFor({ contentId: 'movie' }),
    }
    for (const event of [
      spekeEvent('movie', STRANGER),
      eventOf('rest-api', { ...asForged, caller: undefined }),
      ...EVENTS.map((name) => eventOf(name, asForged)),
    ]) {
      const { status, bytes } = readResult(await instance.invoke(event))
      assert.equal(status, 401)
      assert.deepEqual(keysIn(bytes.toString()), [])
    }
  })

  test('races another instance for a first request and gets the same keys from one secret', async () => {
    const table = await dynamoDb.newTable()
    const two = [start(table), start(table)]
    await Promise.all(two.map(({ ready }) => ready))
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(two.map((one) => one.invoke(spekeEvent(`movie-${round}`))))
      const [one, other] = answers.map((result) => keysIn(readResult(result).bytes.toString()))
      assert.equal(one?.length, 2)
      assert.deepEqual(one, other)
    }
    const items = await itemsOf(table)
    assert.equal(items.filter(({ sk }) => sk?.S?.endsWith(' secret')).length, 5)
    assert.equal(items.filter(({ pk }) => pk?.S === 'data-keys').length, 1)
  })

  test('answers the recorded events of every kind of gateway', async () => {
    const instance = start(await dynamoDb.newTable())
    const statuses: Record<string, number> = {}
    for (const name of EVENTS) statuses[name] = readResult(await instance.invoke(recorded(name).event)).status
    // The first is SPEKE without anything in it, the next two lack tokens, the fourth its credential.
    assert.deepEqual(statuses, {
      'rest-api': 422,
      'http-api': 401,
      'function-url': 401,
      'load-balancer': 401,
      'load-balancer-multi-value': 200,
    })
    assert.deepEqual(await instance.invoke(recorded('schedule').event), { statusCode: 200 })
    await assert.rejects(instance.invoke({ Records: [] }), /the kind of the event is not known/)
  })

  test('returns to an authorized player the key that the encryptor got', async () => {
    const table = await dynamoDb.newTable()
    const instance = start(table, { KEYSPRING_PLAYBACK_ACCESS: 'open' })
    const [kid = ''] = KIDS
    const body = requestFor({ contentId: 'live', kids: [kid], scheme: 'cbc1', systems: [AES_128] })
    const asked = { method: 'POST', path: '/copyProtection', headers: HEADERS, body, caller: ENCRYPTOR }
    const answer = readResult(await instance.invoke(eventOf('rest-api', asked))).bytes.toString()
    const [key = ''] = keysIn(answer)
    for (const name of EVENTS) {
      const { status, bytes } = readResult(await instance.invoke(eventOf(name, { path: `/keys/default/live/${kid}` })))
      assert.deepEqual([status, bytes.toString('base64')], [200, key], name)
    }
  })

  test('writes only the ledger under derived-root, and two regions agree', async () => {
    const tables = [await dynamoDb.newTable(), await dynamoDb.newTable()]
    const root = {
      KEYSPRING_CONTENT_KEYS_POLICY: 'derived-root',
      KEYSPRING_CONTENT_KEYS_ROOT_SECRET: Buffer.alloc(32, 5).toString('base64'),
    }
    const answers = await Promise.all(tables.map((table) => start(table, root).invoke(spekeEvent('movie'))))
    const [one, other] = answers.map((result) => keysIn(readResult(result).bytes.toString()))
    assert.equal(one?.length, 2)
    assert.deepEqual(one, other)
    for (const table of tables) {
      const kept = (await itemsOf(table)).filter(({ pk }) => !/^(ledger|kid) /.test(pk?.S ?? ''))
      assert.deepEqual(kept, [])
    }
  })

  test('reports wrong settings by name at the first call, and returns no key', async () => {
    const instance = start('keys', {
      KEYSPRING_STORE: 'sqlite',
      KEYSPRING_ROOT_KEY_KIND: 'local',
      KEYSPRING_LOG_LEVEL: 'hunter2',
      KEYSPRING_AUTH_GATEWAY_CALLERS: '',
    })
    await assert.rejects(instance.ready, (error: Error) => {
      for (const name of ['KEYSPRING_STORE', 'KEYSPRING_ROOT_KEY_KIND', 'KEYSPRING_LOG_LEVEL']) {
        assert.ok(error.message.includes(`${name}: `), name)
      }
      assert.doesNotMatch(error.message, /hunter2/)
      return true
    })
  })

  test('does not start while anyone could request keys', async () => {
    const instance = start(await dynamoDb.newTable(), { KEYSPRING_AUTH_GATEWAY_CALLERS: '' })
    await assert.rejects(instance.ready, /can ask for keys without a credential/)
  })
})
