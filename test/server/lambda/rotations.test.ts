import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { openDynamoDbStore } from '../../../src/adapters/store/dynamodb/store.ts'
import { startFunction } from '../../../src/server/assemble/function.ts'
import { createLambda } from '../../../src/server/lambda/handler.ts'
import { startFakeKms } from '../../adapters/root-keys/fake-kms.ts'
import { startDynamoDb } from '../../adapters/store/dynamodb/server.ts'
import { recordOf } from '../../adapters/store/ledger-store-contract.ts'
import { recorded } from './events.ts'

const MINUTE = 60_000
const METRIC = 'keyspring_rotations_missed_total'

const published: { readonly DetailType: string; readonly Detail: string }[] = []
const bus = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += chunk
  const { Entries } = JSON.parse(text) as { readonly Entries: typeof published }
  published.push(...Entries)
  response.end(JSON.stringify({ FailedEntryCount: 0, Entries: Entries.map(() => ({ EventId: 'e' })) }))
})
await new Promise<void>((resolve) => bus.listen(0, '127.0.0.1', resolve))
const [dynamoDb, kms] = await Promise.all([startDynamoDb(), startFakeKms()])
// As the runtime of a function has it.
process.env.AWS_ENDPOINT_URL_EVENTBRIDGE = `http://127.0.0.1:${(bus.address() as AddressInfo).port}`
const table = await dynamoDb.newTable()
after(async () => {
  delete process.env.AWS_ENDPOINT_URL_EVENTBRIDGE
  bus.close()
  await Promise.all([dynamoDb.remove(), kms.close()])
})

/** An instance that is started for one event, and ends: nothing is left in memory. */
async function invokeOnce(event: object): Promise<{ readonly result: object; readonly missed: number }> {
  const lines: string[] = []
  const server = await startFunction({
    environment: {
      KEYSPRING_STORE: 'dynamodb',
      KEYSPRING_DYNAMODB_TABLE: table,
      KEYSPRING_DYNAMODB_REGION: 'eu-west-1',
      KEYSPRING_DYNAMODB_ENDPOINT: dynamoDb.endpoint,
      KEYSPRING_ROOT_KEY_KIND: 'aws-kms',
      KEYSPRING_ROOT_KEY_AWS_KMS_KEY_ID: 'alias/keyspring',
      KEYSPRING_ROOT_KEY_AWS_KMS_REGION: 'eu-west-1',
      KEYSPRING_ROOT_KEY_AWS_KMS_ENDPOINT: kms.url,
      KEYSPRING_PLAYBACK_ACCESS: 'open',
      KEYSPRING_PUBLIC_URL: 'https://keys.example.com',
      KEYSPRING_AUTH_GATEWAY_CALLERS: '111122223333',
      KEYSPRING_EVENTS_EVENT_BUS: 'media',
      KEYSPRING_LOG_LEVEL: 'silent',
    },
    version: '9.9.9',
    write: (line) => lines.push(line),
  })
  const result = await createLambda(async () => server).handler(event)
  // What is counted below was written, and what was published was, when the result was given.
  const missed = lines
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .reduce((sum, line) => sum + Number(line[METRIC] ?? 0), 0)
  await server.close()
  return { result, missed }
}

describe('a scheduled event', () => {
  const { event } = recorded('schedule')

  test('tells of the rotations that did not come, in the metrics and on the bus, each once, whatever instance it wakes', async () => {
    const store = await openDynamoDbStore({
      table,
      endpoint: dynamoDb.endpoint,
      region: 'eu-west-1',
      now: () => Date.now(),
      graceMs: 0,
    })
    const begin = Date.now() - 20 * MINUTE
    const ask = (contentId: string, index: number) => {
      const at = begin + index * MINUTE
      return recordOf({
        contentId,
        periodId: `p${index}`,
        periodIndex: index,
        firstAt: at,
        lastAt: at,
        keepUntil: undefined,
      })
    }
    const periods = (count: number, contentId: string) => Array.from({ length: count }, (_, i) => ask(contentId, i))
    await store.record([...periods(6, 'stopped'), ...periods(21, 'running'), ...periods(2, 'tried')])

    const forExpiry = await invokeOnce({ ...event, detail: { tasks: ['expiry'] } })
    assert.deepEqual([forExpiry.missed, published], [0, []])
    const first = await invokeOnce(event)
    assert.deepEqual(first, { result: { statusCode: 200 }, missed: 3 })
    const told = published.map(({ DetailType, Detail }) => [DetailType, JSON.parse(Detail).subject])
    assert.deepEqual(
      told,
      Array.from({ length: 3 }, () => ['rotation.missed', 'stopped']),
    )
    const ids = new Set(published.map(({ Detail }) => JSON.parse(Detail).id))
    assert.equal(ids.size, 3)

    const again = await Promise.all([invokeOnce(event), invokeOnce({ ...event, detail: { tasks: ['rotations'] } })])
    assert.deepEqual(
      again.map(({ missed }) => missed),
      [0, 0],
    )
    assert.equal(published.length, 3)
    await store.close()
  })
})
