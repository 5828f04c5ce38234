import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { follow, type RotationEvent } from '../../../src/toolkit/encryptor/follow.ts'
import { type LoadOptions, printLoad, runLoad } from '../../../src/toolkit/encryptor/load.ts'
import { answerTo } from './asking.ts'

/** A clock that only sleeping moves. */
function clock() {
  let now = 0
  return {
    ticks: () => now,
    sleep: async (ms: number) => {
      now += ms
    },
  }
}

const reply = (status: number, milliseconds: number) => ({ status, headers: {}, body: Buffer.alloc(0), milliseconds })
const load = (send: LoadOptions['send'], requestsPerSecond: number, durationMs: number) =>
  runLoad({ send, requestsPerSecond, durationMs, ...clock() })

test('a load keeps its rate and duration and reports latency percentiles', async () => {
  let sent = 0
  const report = await load(async () => reply(200, ++sent), 50, 2000)
  assert.equal(report.sent, 100)
  assert.deepEqual(
    [...report.latency],
    [
      ['p50', 50],
      ['p90', 90],
      ['p99', 99],
      ['max', 100],
    ],
  )
  assert.equal(
    printLoad(report),
    '100 requests in 2.0 s, 51 a second\n  100 × 200\nlatency of answers with keys: p50 50.0 ms, p90 90.0 ms, p99 99.0 ms, max 100.0 ms\n',
  )
})

test('a load counts rejections and failures separately and ignores their latency', async () => {
  let sent = 0
  const outcomes = [
    async () => reply(422, 1),
    async () => Promise.reject(new KeyProviderError('ERR_KEY_PROVIDER_UNREACHABLE', 'host: no')),
  ]
  const report = await load(() => outcomes[sent++ % 2]?.() ?? assert.fail(), 10, 1000)
  assert.deepEqual([...report.statuses], [[422, 5]])
  assert.deepEqual([...report.failures], [['host: no', 5]])
  assert.equal(report.latency.size, 0)
})

test('a load limits the requests in flight', async () => {
  const waiting: (() => void)[] = []
  const { ticks, sleep } = clock()
  const isNearEnd = (): boolean => ticks() > 990
  const report = await runLoad({
    send: () =>
      isNearEnd()
        ? Promise.resolve(reply(200, 1))
        : new Promise((resolve) => waiting.push(() => resolve(reply(200, 1)))),
    requestsPerSecond: 1000,
    durationMs: 1000,
    ticks,
    sleep: async (ms) => {
      await sleep(ms)
      if (isNearEnd()) for (const answer of waiting.splice(0)) answer()
    },
  })
  assert.ok(report.sent < 300, String(report.sent))
  assert.equal(report.sent + report.skipped, 1000)
  assert.match(printLoad(report), /not sent: 256 were waiting/)
})

const periods = async (
  ask: (period: number) => Promise<string>,
  count: number,
  stopAfter = Number.POSITIVE_INFINITY,
) => {
  const told: RotationEvent[] = []
  const { ticks, sleep } = clock()
  const asked: [number, number][] = []
  const events = await follow({
    ask: async (period) => {
      asked.push([period, ticks()])
      return { answer: await answerTo({ contentId: await ask(period) }), milliseconds: 1 }
    },
    firstPeriod: 7,
    periods: count,
    intervalMs: 60_000,
    ticks,
    sleep,
    isStopped: () => told.length >= stopAfter,
    onEvent: (event) => told.push(event),
  })
  assert.deepEqual(events, told)
  return { asked, outcomes: events.map(({ outcome }) => outcome) }
}

test('follows key periods at their interval', async () => {
  const { asked, outcomes } = await periods(async (period) => `film-${period}`, 3)
  assert.deepEqual(asked, [
    [7, 0],
    [8, 60_000],
    [9, 120_000],
  ])
  assert.deepEqual(outcomes, ['rotated', 'rotated', 'rotated'])
})

test('continues after a failed period and compares with the last period that had keys', async () => {
  const { outcomes } = await periods(async (period) => {
    if (period === 8) throw new KeyProviderError('ERR_KEY_PROVIDER_REFUSED', 'no')
    return 'same'
  }, 3)
  assert.deepEqual(outcomes, ['rotated', 'failed', 'unchanged'])
})

test('follows key periods until stopped', async () => {
  const { asked } = await periods(async (period) => `film-${period}`, Number.POSITIVE_INFINITY, 2)
  assert.equal(asked.length, 2)
})

test('rethrows an error that is not a rejection', async () => {
  await assert.rejects(
    periods(async () => Promise.reject(new TypeError('mistake')), 1),
    TypeError,
  )
})
