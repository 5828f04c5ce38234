import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import type { LedgerRecord } from '../../../src/keys/ports/ledger-store.ts'
import { type CheckRotationsOptions, checkRotations } from '../../../src/operations/rotation/check.ts'
import { createRotationWatcher } from '../../../src/operations/rotation/missed.ts'
import type { MissedRotation } from '../../../src/operations/rotation/overdue.ts'
import { DAY, ledgerRecord, START } from '../managing.ts'

const SECOND = 1_000
const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Functions that are called every five minutes and remember nothing in between. */
function checking(given: Partial<CheckRotationsOptions> = {}) {
  const store = memoryStore()
  const clock = { at: START }
  const missed: MissedRotation[] = []
  const told: number[] = []
  let reads = 0
  const options: CheckRotationsOptions = {
    store: {
      ...store,
      findByContent(ref, limit) {
        reads++
        return store.findByContent(ref, limit)
      },
    },
    now: () => clock.at,
    onMissed: (one) => missed.push(one),
    batch: 7,
    ...given,
  }
  const check = async () => {
    const done = await checkRotations(options)
    told.push(done.missed)
    return done
  }
  const issue = (record: Partial<LedgerRecord>) =>
    store.record([ledgerRecord({ firstAt: clock.at, lastAt: clock.at, ...record })])
  /** Lets time pass; `ask` happens every five seconds, a check every five minutes. */
  const pass = async (ms: number, ask: (at: number) => Promise<unknown> = async () => {}): Promise<void> => {
    for (const end = clock.at + ms; clock.at < end; ) {
      clock.at += 5 * SECOND
      await ask(clock.at)
      if ((clock.at - START) % (5 * MINUTE) === 0) await check()
    }
  }
  return {
    store,
    clock,
    missed,
    told,
    options,
    check,
    issue,
    pass,
    reads: () => reads,
    /** A channel that asks for the periods from `first` to `last`, one every `intervalMs`. */
    async rotate(first: number, last: number, intervalMs = MINUTE, contentId = 'channel') {
      for (let i = first; i <= last; i++) {
        await issue({ contentId, periodId: `p${i}`, periodIndex: i })
        await pass(intervalMs)
      }
    },
  }
}

const indexes = (missed: readonly MissedRotation[]) => missed.map(({ periodIndex }) => periodIndex)

describe('a check of the ledger', () => {
  test('finds nothing as long as a channel asks, and then asks no content for more than is new', async () => {
    const { rotate, missed, reads } = checking()
    await rotate(0, 20)
    assert.deepEqual([missed, reads()], [[], 0])
  })

  test('tells of a channel that stopped what a watcher tells: three times, and then no more', async () => {
    const { rotate, pass, missed, told } = checking()
    await rotate(0, 5)
    await pass(26 * HOUR)
    assert.deepEqual(indexes(missed), [6, 7, 8])
    assert.deepEqual(missed[0], {
      tenant: 'default',
      contentId: 'channel',
      periodIndex: 6,
      lastPeriodId: 'p5',
      after: 1,
      expectedAt: START + 6 * MINUTE,
      intervalMs: MINUTE,
    })
    assert.equal(
      told.reduce((sum, one) => sum + one, 0),
      3,
    )
  })

  test('tells of a channel again that went on and stopped again', async () => {
    const { rotate, pass, missed } = checking()
    await rotate(0, 5)
    await pass(30 * MINUTE)
    await rotate(40, 45)
    await pass(30 * MINUTE)
    assert.deepEqual(indexes(missed), [6, 7, 8, 46, 47, 48])
  })

  test('tells of a period when its request is late by half an interval, and of the next one by then', async () => {
    const { rotate, check, clock, missed } = checking()
    await rotate(0, 4, 10 * MINUTE)
    clock.at = START + 55 * MINUTE
    await check()
    assert.deepEqual(missed, [])
    clock.at += 1
    await check()
    assert.deepEqual(indexes(missed), [5])
    clock.at += 10 * MINUTE
    await check()
    assert.deepEqual(indexes(missed), [5, 6])
  })

  test('tells of each period once, however many look at the same moment, watchers of nodes too', async () => {
    const { rotate, clock, missed, options, store } = checking()
    const watcher = createRotationWatcher({ ...options, onError: (error) => assert.fail(`${error}`) })
    for (let i = 0; i < 4; i++) {
      const [record] = await store.findByContent({ tenant: 'default', contentId: 'channel' }, 1)
      if (record !== undefined) watcher.issued(record)
      await rotate(i, i)
    }
    clock.at += HOUR
    const checks = Array.from({ length: 5 }, () => checkRotations(options))
    const [byWatcher, ...byChecks] = await Promise.all([watcher.tick(), ...checks])
    assert.deepEqual(indexes(missed).sort(), [4, 5, 6])
    assert.equal(
      byChecks.reduce((sum, one) => sum + one.missed, byWatcher),
      3,
    )
  })

  test('knows the interval of the ledger where few periods are new', async () => {
    const { rotate, pass, missed, reads } = checking()
    await rotate(0, 5, 50 * MINUTE)
    assert.deepEqual(missed, [])
    assert.ok(reads() > 0)
    await pass(31 * MINUTE)
    assert.deepEqual(indexes(missed), [6])
  })

  test('looks back as far as the longest interval that is configured needs', async () => {
    const { rotate, pass, missed } = checking({ rotation: () => 5 * HOUR, longestMs: 5 * HOUR })
    await rotate(0, 1, 5 * HOUR)
    assert.deepEqual(missed, [])
    await pass(DAY)
    assert.deepEqual(indexes(missed), [2, 3, 4])
  })

  test('tells nothing of a recording, nor of a channel that asked twice: that may be chance', async () => {
    const { issue, rotate, pass, missed } = checking()
    await issue({ contentId: 'movie' })
    await issue({ contentId: 'parts', periodId: 'a', periodStart: 'PT0S', periodEnd: 'PT1H' })
    await issue({ contentId: 'parts', periodId: 'b', periodStart: 'PT1H', periodEnd: 'PT2H' })
    await rotate(0, 1)
    await pass(3 * HOUR)
    assert.deepEqual(missed, [])
  })

  test('is separate for each tenant', async () => {
    const { issue, pass, missed } = checking()
    for (let i = 0; i < 15; i++) {
      await issue({ tenant: 'a', periodId: `p${i}`, periodIndex: i })
      if (i < 6) await issue({ tenant: 'b', periodId: `p${i}`, periodIndex: i })
      await pass(MINUTE)
    }
    assert.deepEqual(
      missed.map(({ tenant, periodIndex }) => [tenant, periodIndex]),
      [6, 7, 8].map((index) => ['b', index]),
    )
  })

  test('takes a period that two nodes were first asked for together as one', async () => {
    const { store, rotate, check, clock, missed, options } = checking()
    await rotate(0, 5)
    const twice: CheckRotationsOptions['store'] = {
      ...options.store,
      async listRecent(...values) {
        const page = await store.listRecent(...values)
        return { ...page, periods: page.periods.flatMap((one) => [{ ...one, firstAt: one.firstAt + 1 }, one]) }
      },
    }
    clock.at += 35 * SECOND
    await checkRotations({ ...options, store: twice })
    assert.deepEqual(indexes(missed), [6])
    await check()
    assert.deepEqual(indexes(missed), [6])
  })

  test('is bounded, and says so', async () => {
    const { issue, check } = checking({ maxContents: 10 })
    for (let i = 0; i < 10; i++) await issue({ contentId: `c${i}`, periodId: 'p' })
    assert.deepEqual(await check(), { contents: 10, missed: 0, isPartial: false })
    await issue({ contentId: 'one more', periodId: 'p' })
    assert.deepEqual(await check(), { contents: 10, missed: 0, isPartial: true })
  })

  test('rejects while the store is away, and tells of everything afterwards', async () => {
    const { rotate, clock, missed, options } = checking()
    await rotate(0, 5)
    clock.at += HOUR
    const away = () => Promise.reject(new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away'))
    for (const method of ['listRecent', 'findByContent', 'beginWrite'] as const) {
      const store = { ...options.store, [method]: away }
      await assert.rejects(checkRotations({ ...options, store }), { code: 'ERR_STORE_UNAVAILABLE' })
    }
    assert.deepEqual(missed, [])
    await checkRotations(options)
    assert.deepEqual(indexes(missed), [6, 7, 8])
  })

  test('does not report again what it reported before its claims were deleted', async () => {
    const { rotate, clock, missed, options, store } = checking()
    await rotate(0, 5)
    clock.at += HOUR
    await checkRotations(options)
    assert.equal(missed.length, 3)
    await store.pruneWrites(clock.at + 1, 100)
    // An old period of the channel is new to another node, so that it is looked at.
    clock.at += 2 * DAY
    await store.record([ledgerRecord({ periodId: 'p4', periodIndex: 4, firstAt: clock.at, lastAt: clock.at })])
    const recent: CheckRotationsOptions['store'] = {
      ...options.store,
      listRecent: async () => ({
        periods: [
          { tenant: 'default', contentId: 'channel', periodId: 'p4', periodIndex: 4, firstAt: clock.at, ...NO_TIMES },
        ],
        next: undefined,
      }),
    }
    await checkRotations({ ...options, store: recent })
    assert.equal(missed.length, 3)
  })

  test('of hundreds of channels tells exactly of the periods that were not asked for', async () => {
    const channels = fc.array(
      fc.record({ stopsAfter: fc.integer({ min: 4, max: 12 }), phase: fc.integer({ min: 0, max: 11 }) }),
      { minLength: 200, maxLength: 200 },
    )
    await fc.assert(
      fc.asyncProperty(channels, async (all) => {
        const { clock, issue, pass, check, missed } = checking({ batch: 100 })
        const begin = clock.at
        await pass(16 * MINUTE, async (at) => {
          const tick = (at - begin) / (5 * SECOND)
          for (const [i, { stopsAfter, phase }] of all.entries()) {
            const index = (tick - phase) / 12
            if (!Number.isInteger(index) || index < 0 || index > stopsAfter) continue
            await issue({ contentId: `c${i}`, periodId: `p${index}`, periodIndex: index })
          }
        })
        await check()
        const told = Map.groupBy(missed, ({ contentId }) => contentId)
        for (const [i, { stopsAfter, phase }] of all.entries()) {
          const overdue = Math.floor((16 * 12 - phase - 7) / 12) - stopsAfter
          const expected = [1, 2, 3].filter((after) => after <= overdue).map((after) => stopsAfter + after)
          assert.deepEqual(indexes(told.get(`c${i}`) ?? []), expected, `channel ${i} of ${stopsAfter}, ${phase}`)
        }
      }),
      { numRuns: 2 },
    )
  })
})

const NO_TIMES = { periodStart: undefined, periodEnd: undefined }
