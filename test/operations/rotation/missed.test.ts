import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import type { LedgerRecord } from '../../../src/keys/ports/ledger-store.ts'
import { resumeWatching } from '../../../src/operations/rotation/check.ts'
import { createRotationWatcher } from '../../../src/operations/rotation/missed.ts'
import { type MissedRotation, missedRotationEvent } from '../../../src/operations/rotation/overdue.ts'
import { ledgerRecord, START } from '../managing.ts'

const SECOND = 1_000
const MINUTE = 60_000

/** Nodes that watch over one ledger, on one clock. */
function watching({ nodes = 1, maxContents = 50_000 } = {}) {
  const store = memoryStore()
  const clock = { at: START }
  const missed: (MissedRotation & { readonly node: number })[] = []
  const errors: unknown[] = []
  const outage = { isAway: false }
  let reads = 0
  const watched: Parameters<typeof createRotationWatcher>[0]['store'] = {
    ...store,
    async findByContent(ref, limit) {
      reads++
      if (outage.isAway) throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away')
      return store.findByContent(ref, limit)
    },
  }
  const watchers = Array.from({ length: nodes }, (_, node) =>
    createRotationWatcher({
      store: watched,
      now: () => clock.at,
      onMissed: (one) => missed.push({ ...one, node }),
      onError: (error) => errors.push(error),
      maxContents,
    }),
  )
  const issue = async (record: Partial<LedgerRecord>, node = 0): Promise<void> => {
    const whole = ledgerRecord({ firstAt: clock.at, lastAt: clock.at, ...record })
    await store.record([whole])
    watchers[node]?.issued(whole)
  }
  /** Lets time pass, each node looking every five seconds; `ask` happens in between. */
  const pass = async (ms: number, ask: (at: number) => Promise<void> = async () => {}): Promise<void> => {
    for (const end = clock.at + ms; clock.at < end; ) {
      clock.at += 5 * SECOND
      await ask(clock.at)
      for (const watcher of watchers) await watcher.tick()
    }
  }
  return {
    store,
    clock,
    missed,
    errors,
    outage,
    issue,
    pass,
    reads: () => reads,
    /** A channel that asks for the periods from `first` to `last`, one a minute. */
    async rotate(first: number, last: number, contentId = 'channel', node: (i: number) => number = () => 0) {
      for (let i = first; i <= last; i++) {
        await issue({ contentId, periodId: `p${i}`, periodIndex: i }, node(i))
        await pass(MINUTE)
      }
    },
  }
}

const indexes = (missed: readonly MissedRotation[]) => missed.map(({ periodIndex }) => periodIndex)

describe('a channel that rotates', () => {
  test('misses nothing as long as it asks', async () => {
    const { rotate, missed, reads } = watching()
    await rotate(0, 20)
    assert.deepEqual(missed, [])
    assert.equal(reads(), 0, 'the ledger is not asked about what is heard')
  })

  test('misses a period when its request is half a minute late', async () => {
    const { rotate, pass, missed } = watching()
    await rotate(0, 4)
    await pass(25 * SECOND)
    assert.deepEqual(missed, [])
    await pass(15 * SECOND)
    assert.deepEqual(missed, [
      {
        tenant: 'default',
        contentId: 'channel',
        periodIndex: 5,
        lastPeriodId: 'p4',
        after: 1,
        expectedAt: START + 5 * MINUTE,
        intervalMs: MINUTE,
        node: 0,
      },
    ])
  })

  test('that stops is reported three times and then dropped', async () => {
    const { rotate, pass, missed, reads } = watching()
    await rotate(0, 4)
    await pass(60 * MINUTE)
    assert.deepEqual(indexes(missed), [5, 6, 7])
    const before = reads()
    await pass(60 * MINUTE)
    assert.equal(reads(), before)
  })

  test('of keyspring verify raises no alarm', async () => {
    const { rotate, pass, missed, errors } = watching()
    for (const contentId of ['keyspring-verify-periods-three', 'acme-keyspring-verify-again-cbcs']) {
      await rotate(0, 5, contentId)
    }
    await pass(30 * MINUTE)
    assert.deepEqual([missed, errors], [[], []])
  })

  test('that goes on after a gap is watched again', async () => {
    const { rotate, pass, missed } = watching()
    await rotate(0, 4)
    await pass(30 * MINUTE)
    await rotate(40, 44)
    await pass(45 * SECOND)
    assert.deepEqual(indexes(missed), [5, 6, 7, 45])
  })

  test('is not missed here when another node was asked', async () => {
    const { rotate, missed } = watching({ nodes: 2 })
    await rotate(0, 20, 'channel', (i) => (i < 4 ? 0 : 1))
    assert.deepEqual(missed, [])
  })

  test('is reported by exactly one of the nodes', async () => {
    const { rotate, pass, missed } = watching({ nodes: 3 })
    await rotate(0, 8, 'channel', (i) => i % 3)
    await pass(60 * MINUTE)
    assert.deepEqual(indexes(missed), [9, 10, 11])
  })

  test('with only two requests is not reported: that can be chance', async () => {
    const { rotate, pass, missed } = watching()
    await rotate(0, 1)
    await pass(60 * MINUTE)
    assert.deepEqual(missed, [])
  })

  test('whose periods are asked for twice, by two packagers, misses nothing', async () => {
    const { issue, pass, missed } = watching()
    for (let i = 0; i < 12; i++) {
      await issue({ periodId: `p${i}`, periodIndex: i })
      await issue({ periodId: `p${Math.max(0, i - 1)}`, periodIndex: Math.max(0, i - 1) })
      await pass(MINUTE)
    }
    assert.deepEqual(missed, [])
  })
})

describe('a node that is restarted', () => {
  /** The watcher of a process that knows nothing yet. */
  const restarted = ({ store, clock }: Pick<ReturnType<typeof watching>, 'store' | 'clock'>) => {
    const missed: MissedRotation[] = []
    const watcher = createRotationWatcher({
      store,
      now: () => clock.at,
      onMissed: (one) => missed.push(one),
      onError: (error) => assert.fail(`${error}`),
    })
    const pass = async (ms: number) => {
      for (const end = clock.at + ms; clock.at < end; clock.at += 5 * SECOND) await watcher.tick()
    }
    return { missed, watcher, pass }
  }

  test('tells of a channel that stopped meanwhile, in the order of its periods, and not twice', async () => {
    const before = watching()
    await before.rotate(0, 4)
    await before.pass(40 * SECOND)
    assert.deepEqual(indexes(before.missed), [5])
    const { missed, watcher, pass } = restarted(before)
    await resumeWatching(watcher, { store: before.store, at: before.clock.at, batch: 2 })
    await pass(30 * MINUTE)
    assert.deepEqual(indexes(missed), [6, 7])
  })

  test('tells of nothing that goes on, nor of what ended long ago', async () => {
    const before = watching()
    await before.rotate(0, 4, 'ended')
    before.clock.at += 3 * 60 * MINUTE
    await before.rotate(0, 4, 'running')
    const { missed, watcher, pass } = restarted(before)
    await resumeWatching(watcher, { store: before.store, at: before.clock.at })
    for (let i = 5; i < 20; i++) {
      const record = { contentId: 'running', periodId: `p${i}`, periodIndex: i, firstAt: before.clock.at }
      await before.store.record([ledgerRecord({ ...record, lastAt: before.clock.at })])
      watcher.issued(ledgerRecord(record))
      await pass(MINUTE)
    }
    assert.deepEqual(missed, [])
  })

  test('ends what it takes up when it is stopped', async () => {
    const before = watching()
    await before.rotate(0, 4)
    let heard = 0
    const watcher = { issued: () => heard++ }
    const isOver = () => heard >= 2
    await resumeWatching(watcher, { store: before.store, at: before.clock.at, batch: 1, isOver })
    assert.equal(heard, 2)
  })
})

describe('a recording', () => {
  test('misses nothing, however long it is ago', async () => {
    const { issue, pass, missed } = watching()
    await issue({ contentId: 'movie' })
    await issue({ contentId: 'parts', periodId: 'a', periodStart: 'PT0S', periodEnd: 'PT1H' })
    await issue({ contentId: 'parts', periodId: 'b', periodStart: 'PT1H', periodEnd: 'PT2H' })
    await pass(30 * MINUTE)
    assert.deepEqual(missed, [])
  })
})

describe('a store that is away', () => {
  test('is reported, and nothing is missed for it', async () => {
    const { rotate, pass, missed, errors, outage } = watching()
    await rotate(0, 4)
    outage.isAway = true
    await pass(2 * MINUTE)
    assert.deepEqual(missed, [])
    assert.ok(errors.length > 0 && errors.every((error) => error instanceof KeyProviderError))
    outage.isAway = false
    await pass(MINUTE)
    assert.deepEqual(indexes(missed).slice(0, 2), [5, 6])
  })
})

describe('what is watched', () => {
  test('is bounded: what was heard of longest ago is forgotten first', async () => {
    const { issue, pass, missed } = watching({ maxContents: 10 })
    for (let i = 0; i < 5; i++) {
      for (let channel = 0; channel < 20; channel++) {
        await issue({ contentId: `c${channel}`, periodId: `p${i}`, periodIndex: i })
      }
      await pass(MINUTE)
    }
    await pass(10 * MINUTE)
    const told = new Set(missed.map(({ contentId }) => contentId))
    assert.deepEqual(
      [...told],
      Array.from({ length: 10 }, (_, i) => `c${i + 10}`),
    )
  })

  test('of a thousand channels reports exactly the periods that were not requested', async () => {
    const channels = fc.array(
      fc.record({
        stopsAfter: fc.integer({ min: 4, max: 12 }),
        node: fc.integer({ min: 0, max: 1 }),
        phase: fc.integer({ min: 0, max: 11 }),
      }),
      { minLength: 1_000, maxLength: 1_000 },
    )
    await fc.assert(
      fc.asyncProperty(channels, async (all) => {
        const { clock, issue, pass, missed } = watching({ nodes: 2 })
        const begin = clock.at
        await pass(16 * MINUTE, async (at) => {
          const tick = (at - begin) / (5 * SECOND)
          for (const [i, { stopsAfter, node, phase }] of all.entries()) {
            const index = (tick - phase) / 12
            if (!Number.isInteger(index) || index < 0 || index > stopsAfter) continue
            await issue({ contentId: `c${i}`, periodId: `p${index}`, periodIndex: index }, (node + index) % 2)
          }
        })
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

test('the event of a missed rotation has the same id wherever it is made, and another for another period', () => {
  const missed: MissedRotation = {
    tenant: 'default',
    contentId: 'channel',
    periodIndex: 5,
    lastPeriodId: 'p4',
    after: 1,
    expectedAt: START,
    intervalMs: MINUTE,
  }
  const event = missedRotationEvent(missed)
  assert.deepEqual(
    { ...event, id: undefined },
    {
      type: 'rotation.missed',
      tenant: 'default',
      contentId: 'channel',
      at: START,
      id: undefined,
      data: { periodIndex: 5, lastPeriodId: 'p4', expectedAt: '2026-11-21T00:00:00.000Z', intervalSeconds: 60 },
    },
  )
  assert.equal(missedRotationEvent({ ...missed, intervalMs: 1 }).id, event.id)
  assert.notEqual(missedRotationEvent({ ...missed, periodIndex: 6, after: 2 }).id, event.id)
  assert.notEqual(missedRotationEvent({ ...missed, tenant: 'other' }).id, event.id)
})
