import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { Secret } from '../../../src/core/secret.ts'
import { accessKeyIn, EventBus } from '../../../src/server/delivery/event-bus.ts'

interface Entry {
  readonly EventBusName: string
  readonly Source: string
  readonly DetailType: string
  readonly Detail: string
}

const SECRET = 'an-example-of-a-secret-access-key'
const requests: { headers: NodeJS.Dict<string | string[]>; entries: readonly Entry[] }[] = []
/** How many entries of the next requests are not taken. */
let failing: number[] = []
const server = createServer(async (request, response) => {
  let text = ''
  for await (const chunk of request) text += chunk
  const entries: readonly Entry[] = JSON.parse(text).Entries
  requests.push({ headers: request.headers, entries })
  const failed = failing.shift() ?? 0
  response.statusCode = failed < 0 ? 500 : 200
  response.end(
    JSON.stringify({
      Entries: entries.map((_, i) => (i < failed ? { ErrorCode: 'InternalFailure' } : { EventId: 'e' })),
    }),
  )
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
after(() => server.close())
const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

function open() {
  const outcomes: string[] = []
  const errors: unknown[] = []
  const bus = new EventBus({
    bus: 'media',
    region: 'eu-west-1',
    endpoint,
    accessKey: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: new Secret(SECRET), sessionToken: new Secret('token') },
    now: () => Date.parse('2026-11-21T19:00:00Z'),
    onOutcome: (type, outcome) => outcomes.push(`${type} ${outcome}`),
    onError: (error) => errors.push(error),
  })
  requests.length = 0
  return { bus, outcomes, errors }
}
const event = (n: number) => ({ type: 'key.issued' as const, id: `evt_${n}`, json: `{"n":${n}}`, attempts: 0 })

describe('a bus of EventBridge', () => {
  test('is given what waits, signed, ten at once', async () => {
    const { bus, outcomes } = open()
    for (let n = 0; n < 12; n++) bus.take(event(n))
    assert.equal(bus.queued(), 12)
    await bus.flush()
    assert.deepEqual(
      requests.map(({ entries }) => entries.length),
      [10, 2],
    )
    const [first] = requests
    assert.equal(first?.headers['x-amz-target'], 'AWSEvents.PutEvents')
    assert.equal(first?.headers['x-amz-security-token'], 'token')
    assert.match(
      String(first?.headers.authorization),
      /Credential=AKIDEXAMPLE\/20261121\/eu-west-1\/events\/aws4_request/,
    )
    assert.deepEqual(first?.entries[0], {
      EventBusName: 'media',
      Source: 'keyspring',
      DetailType: 'key.issued',
      Detail: '{"n":0}',
    })
    assert.equal(outcomes.filter((one) => one === 'key.issued delivered').length, 12)
    assert.equal(bus.queued(), 0)
  })

  test('is given again what it did not take, and that alone', async () => {
    const { bus, outcomes } = open()
    failing = [2]
    for (let n = 0; n < 3; n++) bus.take(event(n))
    await bus.flush()
    assert.deepEqual(
      requests.map(({ entries }) => entries.map(({ Detail }) => Detail)),
      [
        ['{"n":0}', '{"n":1}', '{"n":2}'],
        ['{"n":0}', '{"n":1}'],
      ],
    )
    assert.equal(outcomes.length, 3)
  })

  test('that never takes an event loses it, and says so without a secret', async () => {
    const { bus, outcomes, errors } = open()
    failing = [-1, -1, -1]
    bus.take(event(1))
    await bus.flush()
    assert.equal(requests.length, 3)
    assert.deepEqual(outcomes, ['key.issued lost'])
    assert.match(String(errors[0]), /EventBridge answered 500/)
    assert.doesNotMatch(String(errors[0]), new RegExp(SECRET))
  })

  test('is closed when all is on it', async () => {
    const { bus } = open()
    bus.take(event(1))
    await bus.close()
    assert.equal(requests.length, 1)
  })
})

test('credentials are those of the environment, or none', () => {
  assert.equal(accessKeyIn({ AWS_ACCESS_KEY_ID: 'a' }), undefined)
  const found = accessKeyIn({ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: SECRET })
  assert.deepEqual([found?.accessKeyId, found?.secretAccessKey.reveal(), found?.sessionToken], ['a', SECRET, undefined])
})
