import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Secret } from '../../../src/core/secret.ts'
import { EVENT_TYPES, type KeyspringEvent } from '../../../src/operations/ports/events.ts'
import { EventDeliveries, type EventDeliveriesOptions } from '../../../src/server/delivery/events.ts'
import { webhookUrlProblem } from '../../../src/server/delivery/post.ts'
import { until as waitUntil } from '../../until.ts'

const EXAMPLE = new URL('../../../docs/guides/verify-event.mjs', import.meta.url)
const { verifyEvent } = (await import(EXAMPLE.href)) as {
  readonly verifyEvent: (
    secret: string,
    headers: IncomingHttpHeaders,
    body: string,
    now?: number,
  ) => Readonly<Record<string, unknown>> | undefined
}

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-events-'))
const closing: (() => void)[] = []
after(() => {
  for (const close of closing) close()
  rmSync(scratch, { recursive: true })
})

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const EVENT: KeyspringEvent = {
  type: 'seal.failure',
  tenant: 'default',
  contentId: 'movie',
  at: 0,
  data: { code: 'ERR_SEAL_BROKEN' },
}

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A receiver that answers as `answers` say, the last of them for ever; null: never. */
async function receiver(...answers: ((response: ServerResponse) => void)[]) {
  const received: Received[] = []

  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(parts).toString() })
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      answer?.(response)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close().closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`
  const until = async (count: number): Promise<void> => {
    await waitUntil(`${count} events arrived`, () => received.length >= count, { everyMs: 5 })
  }
  return { url, received, until }
}

const status =
  (code: number, headers: Record<string, string> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(code, headers).end('words of the receiver')
  }
const never = (): void => {}

/** Events to a receiver; the waits between attempts are collected, and each passes at once. */
async function eventsTo(url: string | undefined, options: Partial<EventDeliveriesOptions> = {}) {
  const waits: number[] = []
  const outcomes: string[] = []
  const errors: unknown[] = []
  const deadLetterFile = join(mkdtempSync(join(scratch, 'data-')), 'dead.jsonl')
  let wake = (): void => {}
  const events = await EventDeliveries.open({
    webhook: url === undefined ? undefined : { url, secret: new Secret(SECRET), timeoutMs: 5_000 },
    file: undefined,
    types: EVENT_TYPES,
    deadLetterFile,
    node: 'n1',
    version: '1.2.3',
    graceMs: 0,
    onOutcome: (type, outcome) => {
      outcomes.push(`${type} ${outcome}`)
      wake()
    },
    onError: (error) => errors.push(error),
    schedule: (task, ms) => {
      waits.push(ms)
      const timer = setImmediate(task)
      return () => clearImmediate(timer)
    },
    ...options,
  })
  const outcome = async (wanted: string): Promise<void> => {
    while (!outcomes.some((one) => one.endsWith(wanted))) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return {
    emit: events.emit,
    close: () => events.close(),
    queued: () => events.queued(),
    waits,
    outcomes,
    errors,
    outcome,
    deadLetterFile: options.deadLetterFile ?? deadLetterFile,
  }
}

const linesOf = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe('a webhook', () => {
  test('gets events that a receiver can verify with the code of the guide', async () => {
    const { url, received, until } = await receiver(status(204))
    const { emit, close, outcome } = await eventsTo(url)
    emit(EVENT)
    await until(1)
    await outcome('delivered')
    const { headers, body } = received[0] ?? assert.fail()
    assert.equal(headers['content-type'], 'application/cloudevents+json; charset=utf-8')
    assert.equal(headers['user-agent'], 'keyspring/1.2.3')
    const event = verifyEvent(SECRET, headers, body) ?? assert.fail('not verified')
    assert.deepEqual(
      [event.type, event.subject, event.id],
      ['io.keyspring.seal.failure', 'movie', headers['webhook-id']],
    )
    for (const forged of [
      () => verifyEvent(SECRET, headers, body.replace('movie', 'mov1e')),
      () => verifyEvent(`${SECRET.slice(0, -1)}x`, headers, body),
      () => verifyEvent(SECRET, { ...headers, 'webhook-id': 'evt_2' }, body),
      () => verifyEvent(SECRET, headers, body, Date.now() + 600_000),
      () => verifyEvent(SECRET, {}, body),
    ]) {
      assert.equal(forged(), undefined)
    }
    await close()
  })

  test('that fails is tried again, ever later, with the same id and a new signature', async () => {
    const { url, received, until } = await receiver(status(500), status(503), status(404), status(200))
    const { emit, close, outcome, waits, outcomes } = await eventsTo(url)
    emit(EVENT)
    await until(4)
    await outcome('delivered')
    assert.equal(new Set(received.map(({ headers }) => headers['webhook-id'])).size, 1)
    for (const { headers, body } of received) assert.ok(verifyEvent(SECRET, headers, body))
    for (const [index, wait] of waits.entries()) {
      const longest = 1_000 * 2 ** index
      assert.ok(wait >= longest / 2 && wait <= longest, `${wait}`)
    }
    assert.deepEqual(outcomes, [...Array(3).fill('seal.failure retried'), 'seal.failure delivered'])
    await close()
  })

  test('that asks for time is given it, up to an hour', async () => {
    const at = new Date(Date.now() + 120_000).toUTCString()
    const answers = ['90', at, '999999', 'soon'].map((value) => status(429, { 'retry-after': value }))
    const { url } = await receiver(...answers, status(200))
    const { emit, close, outcome, waits } = await eventsTo(url)
    emit(EVENT)
    await outcome('delivered')
    const [seconds, date = 0, longest, nonsense = 0] = waits
    assert.deepEqual([seconds, longest], [90_000, 3_600_000])
    assert.ok(date > 60_000 && date <= 120_000, `${date}`)
    assert.ok(nonsense <= 8_000)
    await close()
  })

  test('that never takes an event leaves a dead letter, with the reason and no word of the receiver', async () => {
    const { url, received } = await receiver(status(500))
    const { emit, close, outcome, outcomes, deadLetterFile } = await eventsTo(url, { maxAttempts: 3 })
    emit(EVENT)
    await outcome('dead-lettered')
    await close()
    const [letter] = linesOf(deadLetterFile)
    assert.equal(received.length, 3)
    assert.deepEqual(letter, {
      at: letter?.at,
      id: received[0]?.headers['webhook-id'],
      receiver: 'webhook',
      attempts: 3,
      reason: 'answered 500',
      event: JSON.parse(received[0]?.body ?? ''),
    })
    assert.equal(statSync(deadLetterFile).mode & 0o777, 0o600)
    assert.equal(outcomes.at(-1), 'seal.failure dead-lettered')
  })

  test('that is gone for good is not asked again for the same event', async () => {
    const { url, received } = await receiver(status(410))
    const { emit, close, outcome, deadLetterFile } = await eventsTo(url)
    emit(EVENT)
    await outcome('dead-lettered')
    await close()
    assert.deepEqual([received.length, linesOf(deadLetterFile)[0]?.reason], [1, 'answered 410'])
  })

  test('that redirects is not followed', async () => {
    const other = await receiver(status(200))
    const { url } = await receiver(status(307, { location: other.url }))
    const { emit, close, outcome, deadLetterFile } = await eventsTo(url, { maxAttempts: 1 })
    emit(EVENT)
    await outcome('dead-lettered')
    await close()
    assert.deepEqual([other.received.length, linesOf(deadLetterFile)[0]?.reason], [0, 'answered 307'])
  })

  test('that does not answer, or cannot be reached, failed', async () => {
    const { url } = await receiver(never)
    const webhook = { url, secret: new Secret(SECRET), timeoutMs: 50 }
    const slow = await eventsTo(url, { maxAttempts: 1, webhook })
    slow.emit(EVENT)
    await slow.outcome('dead-lettered')
    await slow.close()
    assert.equal(linesOf(slow.deadLetterFile)[0]?.reason, 'no answer within 50 ms')
    const away = await eventsTo('http://127.0.0.1:9/', { maxAttempts: 1 })
    away.emit(EVENT)
    await away.outcome('dead-lettered')
    await away.close()
    assert.equal(linesOf(away.deadLetterFile)[0]?.reason, 'cannot be reached')
  })

  test('that is away for long holds no more events than there is room for', async () => {
    const { url } = await receiver(never)
    const { emit, close, queued, outcome, deadLetterFile, outcomes } = await eventsTo(url, { maxQueued: 6 })
    for (let number = 0; number < 9; number++) emit({ ...EVENT, type: 'key.issued' })
    assert.equal(queued(), 6)
    await outcome('dead-lettered')
    await close()
    assert.deepEqual(
      linesOf(deadLetterFile).map(({ reason }) => reason),
      Array(3).fill('too many events wait'),
    )
    emit(EVENT)
    assert.equal(outcomes.at(-1), 'seal.failure lost')
  })

  test('counts an event as lost when not even its dead letter can be written', async () => {
    const { url } = await receiver(status(410))
    const place = mkdtempSync(join(scratch, 'data-'))
    const deadLetterFile = join(place, 'dead.jsonl')
    mkdirSync(deadLetterFile)
    const { emit, close, outcome, errors } = await eventsTo(url, { deadLetterFile })
    emit(EVENT)
    await outcome('lost')
    assert.equal(errors.length, 1)
    await close()
  })

  test('gets after the next start what a stop left undelivered', async () => {
    const deadLetterFile = join(mkdtempSync(join(scratch, 'data-')), 'dead.jsonl')
    const silent = await receiver(never)
    const first = await eventsTo(silent.url, { deadLetterFile })
    for (let number = 0; number < 6; number++) first.emit({ ...EVENT, contentId: `c${number}` })
    await silent.until(1)
    await first.close()
    const pending = `${deadLetterFile}.n1.webhook.pending`
    assert.equal(statSync(pending).mode & 0o777, 0o600)
    const { url, received, until } = await receiver(status(200))
    const second = await eventsTo(url, { deadLetterFile })
    await until(6)
    await second.outcome('delivered')
    while (second.queued() > 0) await new Promise(setImmediate)
    await second.close()
    const subjects = received.map(({ body }) => (JSON.parse(body) as { subject: string }).subject)
    assert.deepEqual(subjects.sort(), ['c0', 'c1', 'c2', 'c3', 'c4', 'c5'])
    assert.equal(existsSync(pending), false)
  })

  test('without a place for dead letters counts them as lost', async () => {
    const { url } = await receiver(status(410))
    const { emit, close, outcome, errors } = await eventsTo(url, { deadLetterFile: undefined })
    emit(EVENT)
    await outcome('lost')
    emit(EVENT)
    await close()
    assert.ok(errors.length > 0)
  })

  test('gets what waits before a stop, as far as there is time', async () => {
    const { url, received } = await receiver(status(200))
    const { emit, close, deadLetterFile, outcomes } = await eventsTo(url, { graceMs: 5_000 })
    for (let number = 0; number < 12; number++) emit({ ...EVENT, type: 'key.issued', contentId: `c${number}` })
    await close()
    assert.deepEqual([received.length, outcomes.length], [12, 12])
    assert.equal(existsSync(`${deadLetterFile}.n1.webhook.pending`), false)
  })

  test('is asked once before a stop, and again after the next start', async () => {
    const { url, received } = await receiver(status(500))
    const first = await eventsTo(url, { graceMs: 5_000, schedule: () => () => {} })
    first.emit(EVENT)
    await first.close()
    assert.equal(received.length, 1)
    const [kept] = linesOf(`${first.deadLetterFile}.n1.webhook.pending`)
    assert.deepEqual([kept?.attempts, kept?.id], [1, received[0]?.headers['webhook-id']])
  })

  test('starts although what the last stop left cannot be read', async () => {
    const deadLetterFile = join(mkdtempSync(join(scratch, 'data-')), 'dead.jsonl')
    writeFileSync(`${deadLetterFile}.n1.webhook.pending`, '{"type":"nothing"}\n')
    const { url } = await receiver(status(200))
    const { errors, close } = await eventsTo(url, { deadLetterFile })
    assert.equal(errors.length, 1)
    await close()
  })
})

test('a file gets each event as a line, also after it was moved away', async () => {
  const file = join(mkdtempSync(join(scratch, 'data-')), 'events.jsonl')
  const { emit, close, outcome } = await eventsTo(undefined, { file })
  emit(EVENT)
  await outcome('delivered')
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(linesOf(file)[0]?.type, 'io.keyspring.seal.failure')
  rmSync(file)
  emit({ ...EVENT, contentId: 'series' })
  await close()
  assert.deepEqual(
    linesOf(file).map(({ subject }) => subject),
    ['series'],
  )
})

test('the guide shows the code that these tests verify events with', () => {
  const guide = readFileSync(new URL('../../../docs/guides/events.md', import.meta.url), 'utf8')
  assert.ok(guide.includes(`\n\`\`\`js\n${readFileSync(EXAMPLE, 'utf8')}\`\`\`\n`))
})

test('a webhook and a file get the same events', async () => {
  const { url, received, until } = await receiver(status(200))
  const file = join(mkdtempSync(join(scratch, 'data-')), 'events.jsonl')
  const { emit, close } = await eventsTo(url, { file, graceMs: 2_000 })
  emit(EVENT)
  await until(1)
  await close()
  assert.deepEqual(linesOf(file), [JSON.parse(received[0]?.body ?? '')])
})

describe('the URL of a webhook', () => {
  for (const url of ['https://events.example.com/x', 'http://127.0.0.1:9/', 'http://localhost/', 'http://[::1]:80/']) {
    test(`${url} is taken`, () => assert.equal(webhookUrlProblem(url), undefined))
  }
  for (const url of [
    'http://events.example.com/',
    'ftp://127.0.0.1/',
    'https://u:p@example.com/',
    'events',
    'http://127.0.0.1.example.com/',
  ]) {
    test(`${url} is refused`, async () => {
      assert.notEqual(webhookUrlProblem(url), undefined)
      await assert.rejects(eventsTo(url), { code: 'ERR_CONFIG_INVALID' })
    })
  }
})
