import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { type PendingEvent, readWebhookSecret, signWebhook } from '../../../src/operations/events/deliver.ts'
import { boundEvents, createEmit, toCloudEvent } from '../../../src/operations/events/emit.ts'
import { keyIssued, requestRefused, sealFailure } from '../../../src/operations/events/of.ts'
import { EVENT_TYPES, type KeyspringEvent } from '../../../src/operations/ports/events.ts'
import { kidOf } from '../../keys/fixtures.ts'

interface Vector {
  readonly origin: string
  readonly secret: string
  readonly id: string
  readonly timestamp: number
  readonly body: string
  readonly signature: string
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/standard-webhooks.json', import.meta.url), 'utf8'),
) as readonly Vector[]

for (const { origin, secret, id, timestamp, body, signature } of vectors) {
  test(`signs as Standard Webhooks does (${origin})`, () => {
    assert.deepEqual(signWebhook(readWebhookSecret(secret), id, timestamp * 1_000 + 999, body), {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': signature,
    })
  })
}

describe('the secret of a webhook', () => {
  test('is the bytes of a plain text', () => {
    assert.equal(readWebhookSecret('a plain secret of enough bytes').symmetricKeySize, 30)
  })

  for (const [what, secret] of [
    ['too short', 'short'],
    ['too short behind its prefix', 'whsec_c2hvcnQ='],
    ['not base64 behind its prefix', `whsec_${'#'.repeat(40)}`],
  ] as const) {
    test(`is rejected when it is ${what}, and not repeated`, () => {
      assert.throws(
        () => readWebhookSecret(secret),
        (error) => {
          assert.ok(error instanceof Error && 'code' in error)
          assert.equal(error.code, 'ERR_CONFIG_INVALID')
          return !error.message.includes(secret.slice(-5))
        },
      )
    })
  }
})

const AT = Date.parse('2026-11-21T12:00:00.000Z')
const REFUSED = { at: AT, code: 'ERR_XML_MALFORMED', route: 'copyProtection', status: 400, requestId: 'r1' } as const

describe('a cloud event', () => {
  const parse = (event: KeyspringEvent) =>
    JSON.parse(toCloudEvent(event, 'n1', () => 'new').json) as Record<string, unknown>

  test('has the attributes of CloudEvents 1.0', () => {
    const issued = keyIssued({
      tenant: 'default',
      contentId: 'movie',
      at: AT,
      kids: [kidOf(1)],
      client: 'packager',
      spekeVersion: '2.0',
    })
    assert.deepEqual(parse(issued), {
      specversion: '1.0',
      id: 'evt_new',
      source: 'keyspring/n1',
      type: 'io.keyspring.key.issued',
      subject: 'movie',
      time: '2026-11-21T12:00:00.000Z',
      tenant: 'default',
      datacontenttype: 'application/json',
      data: { keys: 1, kids: [kidOf(1)], client: 'packager', spekeVersion: '2.0', contentId: 'movie' },
    })
  })

  test('without a content has no subject', () => {
    const refused = parse(requestRefused(REFUSED))
    assert.deepEqual(Object.keys(refused), ['specversion', 'id', 'source', 'type', 'time', 'datacontenttype', 'data'])
    assert.deepEqual(refused.data, {
      code: 'ERR_XML_MALFORMED',
      route: 'copyProtection',
      status: 400,
      requestId: 'r1',
    })
  })

  for (const contentId of ['a\nb', 'a\u0085b', '\ud800', 'a\uffffb']) {
    test(`names the content ${JSON.stringify(contentId)} in its data alone`, () => {
      const event = parse(sealFailure({ ...REFUSED, tenant: 'default', contentId }))
      assert.equal(event.subject, undefined)
      assert.equal((event.data as Record<string, unknown>).contentId, contentId)
    })
  }

  test('has the same id for the same happening on every node, fit for a header', () => {
    const event: KeyspringEvent = { type: 'rotation.missed', at: AT, id: 'a\r\nb', data: {} }
    const [one, other] = ['n1', 'n2'].map((node) => toCloudEvent(event, node, () => assert.fail()).id)
    assert.equal(one, other)
    assert.match(one ?? '', /^evt_[\w-]{24}$/)
    assert.notEqual(one, toCloudEvent({ ...event, id: 'c' }, 'n1', () => assert.fail()).id)
  })

  test('holds no endless text', () => {
    const data = { reason: 'x'.repeat(5_000), kids: Array.from({ length: 500 }, () => 'y') }
    const event = parse({ type: 'key.imported', at: AT, data })
    assert.deepEqual(event.data, { reason: 'x'.repeat(1_024), kids: Array.from({ length: 100 }, () => 'y') })
  })
})

describe('a flood of refusals', () => {
  test('is ten a minute of each code, and the next one says how many more there were', () => {
    const emitted: KeyspringEvent[] = []
    const emit = boundEvents({ emit: (event) => emitted.push(event) })
    for (let number = 0; number < 100; number++) emit(requestRefused({ ...REFUSED, at: AT + number }))
    emit(requestRefused({ ...REFUSED, code: 'ERR_FORBIDDEN' }))
    emit(keyIssued({ tenant: 't', contentId: 'c', at: AT, kids: [], client: 'c', spekeVersion: '2.0' }))
    assert.equal(emitted.length, 12)
    for (const at of [AT + 60_000, AT + 60_001]) emit(requestRefused({ ...REFUSED, at }))
    assert.deepEqual(
      emitted.slice(12).map(({ data }) => data.suppressed),
      [90, undefined],
    )
  })
})

describe('emit', () => {
  test('hands on the types that are wanted, to every receiver', () => {
    const taken: PendingEvent[] = []
    const delivery = { take: (event: PendingEvent) => taken.push(event) }
    const emit = createEmit({ deliveries: [delivery, delivery], types: ['seal.failure'], node: 'n1', newId: () => '1' })
    for (const type of EVENT_TYPES) emit({ type, at: AT, data: {} })
    assert.deepEqual(
      taken.map(({ type, attempts }) => [type, attempts]),
      [
        ['seal.failure', 0],
        ['seal.failure', 0],
      ],
    )
  })

  test('does nothing without deliveries', () => {
    const newId = () => assert.fail('an event was made')
    const emit = createEmit({ deliveries: [], types: EVENT_TYPES, node: 'n1', newId })
    emit({ type: 'seal.failure', at: AT, data: {} })
  })
})
