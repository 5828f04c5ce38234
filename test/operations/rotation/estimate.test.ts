import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { LedgerRecord } from '../../../src/keys/ports/ledger-store.ts'
import { hasStopped, indexAfter, rotationSchedule, seenPeriods } from '../../../src/operations/rotation/estimate.ts'
import { ledgerRecord, START } from '../managing.ts'

const MINUTE = 60_000
const MAX_UINT32 = 2 ** 32 - 1

/** A period with an index, first asked for so many seconds after the start. */
function asked(index: number | undefined, second: number, changes: Partial<LedgerRecord> = {}): LedgerRecord {
  const at = START + second * 1_000
  return ledgerRecord({ periodId: `p${index}-${second}`, periodIndex: index, firstAt: at, lastAt: at, ...changes })
}

const scheduleOf = (records: readonly LedgerRecord[], configuredMs?: number) =>
  rotationSchedule(seenPeriods(records), configuredMs)

describe('the interval of a rotation', () => {
  const observed: readonly (readonly [string, readonly LedgerRecord[], number, 'high' | 'medium' | 'low'])[] = [
    ['two requests', [asked(0, 0), asked(1, 60)], MINUTE, 'low'],
    ['three requests', [asked(0, 0), asked(1, 60), asked(2, 120)], MINUTE, 'medium'],
    ['many requests', [0, 1, 2, 3, 4].map((i) => asked(i, i * 60)), MINUTE, 'high'],
    ['requests that jitter', [asked(0, 0), asked(1, 58), asked(2, 121), asked(3, 180)], 59_000, 'high'],
    ['a period that was missed', [0, 1, 3, 4].map((i) => asked(i, i * 60)), MINUTE, 'high'],
    [
      'an outage of a day',
      [asked(0, 0), asked(1, 60), asked(2, 120), asked(3, 86_400), asked(4, 86_460)],
      MINUTE,
      'high',
    ],
    [
      'indexes that start anew',
      [asked(7, 0), asked(8, 60), asked(9, 120), asked(0, 130), asked(1, 190)],
      MINUTE,
      'high',
    ],
    ['periods without index', [0, 60, 120, 180].map((second) => asked(undefined, second)), MINUTE, 'high'],
    ['several periods in one request', [0, 1, 2, 3, 4, 5].map((i) => asked(i, Math.floor(i / 3) * 180)), MINUTE, 'low'],
    ['indexes that are seconds', [0, 60, 120, 180].map((second) => asked(1_000 + second, second)), MINUTE, 'high'],
    [
      'indexes beyond MAX_UINT32',
      [asked(MAX_UINT32 - 1, 0), asked(MAX_UINT32, 60), asked(0, 120), asked(1, 180)],
      MINUTE,
      'high',
    ],
  ]
  for (const [name, records, intervalMs, confidence] of observed) {
    test(`is estimated from ${name}`, () => {
      const schedule = scheduleOf([...records].reverse()) ?? assert.fail('no schedule')
      assert.deepEqual(
        { basis: schedule.basis, intervalMs: schedule.intervalMs, confidence: schedule.confidence },
        { basis: 'observed', intervalMs, confidence },
      )
    })
  }

  test('is that of the documents where they have times, whenever encryptors ask', () => {
    const records = [0, 1, 2].map((i) =>
      asked(i, i * 7, {
        periodStart: new Date(START + i * MINUTE).toISOString(),
        periodEnd: new Date(START + (i + 1) * MINUTE).toISOString(),
      }),
    )
    const schedule = scheduleOf(records) ?? assert.fail('no schedule')
    assert.deepEqual([schedule.basis, schedule.intervalMs, schedule.confidence], ['document', MINUTE, 'high'])
    assert.equal(schedule.nextStart, START + 3 * MINUTE)
  })

  test('is the configured one where there is one', () => {
    const schedule = scheduleOf([asked(0, 0)], 5 * MINUTE) ?? assert.fail('no schedule')
    assert.deepEqual([schedule.basis, schedule.intervalMs], ['configured', 5 * MINUTE])
    assert.equal(schedule.nextStart, START + 5 * MINUTE)
  })

  const none: readonly (readonly [string, readonly LedgerRecord[]])[] = [
    ['nothing', []],
    ['one period', [asked(0, 0)]],
    ['documents without periods', [ledgerRecord(), ledgerRecord({ firstAt: START + MINUTE })]],
    [
      'the periods of a recording',
      [0, 1, 2].map((i) => asked(i, i * 60, { periodStart: `PT${i}M`, periodEnd: `PT${i + 1}M` })),
    ],
  ]
  for (const [name, records] of none) {
    test(`is not estimated from ${name}`, () => assert.equal(scheduleOf(records), undefined))
  }

  test('is found where every other period was missed', () => {
    const records = [0, 2, 5, 8, 10, 11].map((i) => asked(i, i * 10))
    assert.equal(scheduleOf(records)?.intervalMs, 10_000)
  })

  test('is found from any rotation with jitter, gaps and restarts of its encryptor', () => {
    const rotation = fc.record({
      seconds: fc.integer({ min: 10, max: 3_600 }),
      first: fc.integer({ min: 0, max: MAX_UINT32 }),
      periods: fc.array(
        fc.record({ jitter: fc.integer({ min: 0, max: 8 }), isMissed: fc.integer({ min: 0, max: 9 }) }),
        {
          minLength: 12,
          maxLength: 40,
        },
      ),
    })
    fc.assert(
      fc.property(rotation, ({ seconds, first, periods }) => {
        const records = periods.flatMap(({ jitter, isMissed }, i) =>
          isMissed === 0 ? [] : [asked((first + i) % 2 ** 32, i * seconds + (seconds * jitter) / 100)],
        )
        if (records.length < 6) return
        const schedule = scheduleOf(records) ?? assert.fail('no schedule')
        assert.ok(Math.abs(schedule.intervalMs - seconds * 1_000) <= seconds * 100, `${schedule.intervalMs}`)
      }),
    )
  })
})

describe('the newest period', () => {
  test('is not an old one that somebody asks for late', () => {
    const records = [asked(5, 0), asked(6, 60), asked(7, 120), asked(2, 130)]
    assert.equal(scheduleOf(records)?.last.index, 7)
  })

  test('is the first after a restart, when nothing was asked for in between', () => {
    const records = [asked(5, 0), asked(6, 60), asked(7, 120), asked(0, 600)]
    assert.equal(scheduleOf(records)?.last.index, 0)
  })
})

describe('what comes next', () => {
  const schedule = scheduleOf([0, 1, 2, 3].map((i) => asked(i, i * 60))) ?? assert.fail('no schedule')

  test('is an interval after the newest', () => {
    assert.equal(schedule.nextStart, START + 4 * MINUTE)
    assert.equal(schedule.nextRequest, START + 4 * MINUTE)
  })

  test('is later by what was asked for ahead', () => {
    const ahead = scheduleOf([0, 1, 2, 3, 4, 5].map((i) => asked(i, Math.floor(i / 3) * 180)))
    assert.equal(ahead?.nextRequest, START + 6 * MINUTE)
  })

  test('has the next index, after MAX_UINT32 that is 0', () => {
    assert.deepEqual(
      [1, 2].map((count) => indexAfter(schedule, count)),
      [4, 5],
    )
    const last = scheduleOf([asked(MAX_UINT32 - 2, 0), asked(MAX_UINT32 - 1, 60), asked(MAX_UINT32, 120)])
    assert.ok(last)
    assert.deepEqual(
      [1, 2].map((count) => indexAfter(last, count)),
      [0, 1],
    )
  })

  test('has the step that indexes were seen to take', () => {
    const seconds = scheduleOf([0, 60, 120].map((second) => asked(1_000 + second, second))) ?? assert.fail()
    assert.equal(indexAfter(seconds, 1), 1_180)
  })

  test('is nothing after three intervals without a request', () => {
    assert.equal(hasStopped(schedule, START + 6 * MINUTE), false)
    assert.equal(hasStopped(schedule, START + 6 * MINUTE + 1), true)
  })
})
