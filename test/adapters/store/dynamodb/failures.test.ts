import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { openDynamoDbStore } from '../../../../src/adapters/store/dynamodb/store.ts'
import { startDynamoDb } from './server.ts'

const dynamoDb = await startDynamoDb()
after(() => dynamoDb.remove())

/** What answers every call alike, or never. */
let answer: { readonly status: number; readonly type: string } | undefined
let calls = 0
const failing = createServer((request, response) => {
  calls++
  request.resume()
  if (answer === undefined) return
  response.writeHead(answer.status, { 'content-type': 'application/x-amz-json-1.0' })
  response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${answer.type}`, message: 'hunter2' }))
}).listen(0, '127.0.0.1')
await once(failing, 'listening')
after(() => {
  failing.closeAllConnections()
  failing.close()
})

const REF = { tenant: 'default', contentId: 'movie' }
const BIRTH = { at: 1, expiresAt: undefined }
const open = (endpoint: string, timeoutMs: number, table = 'keys', attempts = 4) =>
  openDynamoDbStore({ table, endpoint, region: 'eu-west-1', timeoutMs, attempts, now: () => 0, graceMs: 0 })
const failingUrl = `http://127.0.0.1:${(failing.address() as AddressInfo).port}`

describe('a failing table causes an error, never a new key', () => {
  for (const [status, type, remedy] of [
    [400, 'ProvisionedThroughputExceededException', /throttles requests/],
    [400, 'AccessDeniedException', /lacks permission/],
    [400, 'ResourceNotFoundException', /does not exist/],
    [500, 'InternalServerError', /InternalServerError/],
  ] as const) {
    test(`${type}`, async () => {
      answer = { status, type }
      calls = 0
      const store = await open(failingUrl, 5_000, 'keys', 2)
      for (const ask of [
        () => store.findContent(REF, []),
        () => store.putSecretIfAbsent(REF, new Uint8Array(8), [], BIRTH),
        () => store.findDataKeys('default'),
      ]) {
        await assert.rejects(ask, (error: Error & { code?: string }) => {
          assert.equal(error.code, 'ERR_STORE_UNAVAILABLE')
          assert.match(error.message, remedy)
          assert.doesNotMatch(`${error.message} ${error.stack} ${(error.cause as Error).message}`, /hunter2/)
          return true
        })
      }
      assert.ok(calls <= 6, `${calls} attempts`)
      await store.close()
    })
  }

  test('a table that never answers fails within the time limit', async () => {
    answer = undefined
    const store = await open(failingUrl, 100)
    await assert.rejects(store.findContent(REF, []), {
      code: 'ERR_STORE_UNAVAILABLE',
      message: /within dynamodb.timeoutMs/,
    })
    await store.close()
  })

  test('the error names a table that does not exist', async () => {
    const store = await open(dynamoDb.endpoint, 3_000, 'nothing')
    await assert.rejects(store.sampleDataKeys(), {
      code: 'ERR_STORE_UNAVAILABLE',
      message: /"nothing".*does not exist/,
    })
    await store.close()
  })
})

test('a ledger record larger than an item is compressed and read back', async () => {
  const store = await open(dynamoDb.endpoint, 3_000, await dynamoDb.newTable())
  const period = { periodId: '', periodIndex: undefined, periodStart: undefined, periodEnd: undefined }
  const keys = Array.from({ length: 2_000 }, (_, i) => ({
    kid: `00000000-0000-4000-8000-${String(i).padStart(12, '0')}` as never,
    contentKeyClass: 'drm' as const,
    commonEncryptionScheme: 'cenc',
    intendedTrackTypes: ['x'.repeat(256)],
    systemIds: [],
  }))
  const times = { firstAt: 1, lastAt: 2, requests: 1, keepUntil: undefined }
  const record = { ...REF, ...period, keys, client: 'packager', spekeVersion: '2.0', ...times }
  await store.record([record])
  assert.deepEqual(await store.findByContent(REF, 1), [record])
  await store.close()
})
