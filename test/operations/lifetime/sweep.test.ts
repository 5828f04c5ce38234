import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { FOREVER } from '../../../src/keys/content/lifetime.ts'
import { releaseContent } from '../../../src/operations/contents/changes.ts'
import { planSweep } from '../../../src/operations/lifetime/expiry.ts'
import { createSweeper, type SweepReport } from '../../../src/operations/lifetime/sweep.ts'
import { flakyStore } from '../../keys/fixtures.ts'
import { DAY, HELD, ledgerRecord, managing, OPERATOR, START, WEEK } from '../managing.ts'

const NOTHING: SweepReport = {
  looked: 0,
  expired: 0,
  destroyed: 0,
  adopted: 0,
  kept: 0,
  forgottenPeriods: 0,
  forgottenWrites: 0,
}
const QUICK = { pauseMs: 0 }
const refOf = (contentId: string, tenant = 'default') => ({ tenant, contentId })

/** A store whose contents are kept for a week, and its sweeper. */
function sweeping(options: Parameters<typeof managing>[0] = {}) {
  const managed = managing({ rules: { of: () => WEEK }, ...options })
  const sweeper = createSweeper(managed.management, QUICK)
  return {
    ...managed,
    ...sweeper,
    summary: (contentId: string) => managed.store.findSummary(refOf(contentId)),
    told: () => managed.events.map(({ type, contentId, data }) => [type, contentId, data.destroyed]),
  }
}

/** Why a content that was created at the start is destroyed. */
const ENDED = `its retention period ended on ${new Date(START + 7 * DAY).toISOString().slice(0, 16)}Z`

describe('a content whose time has passed', () => {
  test('is reported once, with the time of destruction', async () => {
    const { create, clock, sweep, events } = sweeping()
    await create('movie')
    clock.at += 7 * DAY + 1
    assert.deepEqual(await sweep(), { ...NOTHING, looked: 1, expired: 1 })
    clock.at += 60_000
    assert.equal((await sweep()).expired, 0)
    const [event, ...more] = events
    assert.deepEqual(more, [])
    assert.deepEqual(
      { ...event, id: typeof event?.id },
      {
        type: 'content.expired',
        tenant: 'default',
        contentId: 'movie',
        at: START + 7 * DAY,
        id: 'string',
        data: { class: 'week', destroyed: false, destroyedFrom: new Date(START + 8 * DAY).toISOString() },
      },
    )
  })

  test('is reported although the ledger recorded the request a little after its expiry was stored', async () => {
    const { create, clock, sweep, store, events, summary } = sweeping()
    await create('movie')
    await store.record([ledgerRecord({ contentId: 'movie', lastAt: START + 6 })])
    clock.at += 7 * DAY + 60_000
    assert.deepEqual(await sweep(), { ...NOTHING, looked: 1, expired: 1 })
    assert.equal(events[0]?.data.destroyedFrom, new Date(START + 8 * DAY + 6).toISOString())
    clock.at += DAY - 60_000
    assert.equal((await sweep()).destroyed, 0)
    clock.at += 6
    assert.equal((await sweep()).destroyed, 1)
    assert.equal((await summary('movie'))?.hasSecret, false)
  })

  test('is not reported again by a process that starts later', async () => {
    const { create, clock, sweep, management, events } = sweeping()
    await create('movie')
    clock.at += 7 * DAY + 1
    await sweep()
    await createSweeper(management, QUICK).sweep()
    assert.equal(events.length, 1)
  })

  test('is left as it is until its grace has passed, then destroyed with a tombstone', async () => {
    const { create, clock, sweep, summary, told } = sweeping()
    await create('movie')
    clock.at += 8 * DAY - 1
    assert.equal((await sweep()).destroyed, 0)
    assert.equal((await summary('movie'))?.hasSecret, true)
    clock.at += 2
    assert.equal((await sweep()).destroyed, 1)
    const { hasSecret, tombstone } = (await summary('movie')) ?? assert.fail('no summary')
    assert.equal(hasSecret, false)
    assert.deepEqual(tombstone, { at: clock.at, reason: ENDED, cause: 'expired' })
    assert.deepEqual(told(), [
      ['content.expired', 'movie', false],
      ['content.expired', 'movie', true],
    ])
    assert.deepEqual(await sweep(), NOTHING)
  })

  test('that was asked for again in its grace lives on', async () => {
    const { create, clock, sweep, summary } = sweeping()
    await create('movie')
    clock.at += 7 * DAY + 1
    await sweep()
    await create('movie')
    clock.at += 2 * DAY
    assert.equal((await sweep()).destroyed, 0)
    assert.equal((await summary('movie'))?.hasSecret, true)
  })

  test('that was asked for later than its stored time knows of lives on: the ledger knows', async () => {
    const { create, clock, sweep, store, summary } = sweeping()
    await create('movie')
    await store.record([ledgerRecord({ contentId: 'movie', lastAt: START + 5 * DAY })])
    clock.at += 9 * DAY
    assert.deepEqual(await sweep(), { ...NOTHING, looked: 1, kept: 1 })
    assert.equal((await summary('movie'))?.expiresAt, START + 12 * DAY)
  })

  test('is recorded before it is destroyed and after, in words that name it', async () => {
    const { create, clock, sweep, entries } = sweeping()
    await create('movie')
    await create('series', 'other')
    clock.at += 9 * DAY
    await sweep()
    assert.deepEqual(
      entries.map(({ action, outcome, tenant, contentId, actor, reason }) => [
        action,
        outcome,
        tenant,
        contentId,
        actor.id,
        reason,
      ]),
      [
        ['content.expire', 'begun', 'default', undefined, 'sweeper', 'past their retention: "movie"'],
        ['content.expire', 'begun', 'other', undefined, 'sweeper', 'past their retention: "series"'],
        ['content.expire', 'ok', 'default', 'movie', 'sweeper', ENDED],
        ['content.expire', 'ok', 'other', 'series', 'sweeper', ENDED],
      ],
    )
  })

  test('is not destroyed before other nodes could write what they issued while the store was away', async () => {
    const { store, setAway } = flakyStore(memoryStore())
    const { create, clock, sweep, summary } = sweeping({ store })
    await create('movie')
    clock.at += 9 * DAY
    setAway(true)
    await assert.rejects(sweep(), { code: 'ERR_STORE_UNAVAILABLE' })
    setAway(false)
    clock.at += 60_000
    assert.equal((await sweep()).destroyed, 0)
    assert.equal((await summary('movie'))?.tombstone, undefined)
    clock.at += 600_000
    assert.equal((await sweep()).destroyed, 1)
  })

  test('is not destroyed as soon as the clock was set, back or ahead', async () => {
    for (const step of [-400 * DAY, 400 * DAY]) {
      const clock = { at: START }
      let uptime = 0
      const { management, create } = managing({ rules: { of: () => WEEK }, clock })
      const { sweep } = createSweeper(management, { ...QUICK, uptime: () => uptime })
      await create('movie')
      clock.at += step
      if (step < 0) await create('movie')
      assert.equal((await sweep()).destroyed, 0)
      clock.at -= Math.min(step, 0)
      assert.equal((await sweep()).destroyed, 0)
      uptime += 600_000
      clock.at += 600_000
      // What was asked for when the clock was wrong has its time from when it was made at least.
      assert.equal((await sweep()).destroyed, step < 0 ? 0 : 1)
    }
  })

  test('is not destroyed while that cannot be recorded', async () => {
    const { create, clock, sweep, setAuditAway, summary } = sweeping()
    await create('movie')
    clock.at += 9 * DAY
    setAuditAway(true)
    await assert.rejects(sweep(), { code: 'ERR_AUDIT_UNAVAILABLE' })
    assert.equal((await summary('movie'))?.hasSecret, true)
    setAuditAway(false)
    assert.equal((await sweep()).destroyed, 1)
  })
})

describe('rules that changed', () => {
  const changes = [
    ['for ever', FOREVER, undefined],
    ['under legal hold', HELD, undefined],
    ['longer', { ...WEEK, keepMs: 30 * DAY }, START + 30 * DAY],
  ] as const
  for (const [name, retentionClass, until] of changes) {
    test(`let an expired content live on when they keep it ${name}`, async () => {
      const { create, clock, rules, sweep, store, events } = sweeping()
      await create('movie')
      await store.record([ledgerRecord({ contentId: 'movie' })])
      clock.at += 20 * DAY
      rules.of = () => retentionClass
      assert.deepEqual(await sweep(), { ...NOTHING, looked: 1, kept: 1 })
      const { expiresAt, hasSecret } = (await store.findSummary(refOf('movie'))) ?? assert.fail('no summary')
      assert.deepEqual([expiresAt, hasSecret], [until, true])
      assert.deepEqual(events, [])
    })
  }

  test('let one live on of which the ledger knows nothing more than when it was made', async () => {
    const { create, clock, rules, sweep, summary } = sweeping()
    await create('movie')
    clock.at += 9 * DAY
    rules.of = () => ({ ...WEEK, keepMs: 30 * DAY })
    await sweep()
    assert.equal((await summary('movie'))?.expiresAt, START + 30 * DAY)
  })

  test('with a limit reach contents that never expired, with their whole time from now', async () => {
    const { create, clock, rules, sweep, summary } = sweeping({ rules: { of: () => FOREVER } })
    for (const contentId of ['a', 'b', 'c']) await create(contentId)
    clock.at += 365 * DAY
    rules.of = ({ contentId }) => (contentId === 'b' ? FOREVER : WEEK)
    assert.deepEqual(await sweep(), { ...NOTHING, adopted: 2 })
    const expiries = await Promise.all(['a', 'b', 'c'].map(async (id) => (await summary(id))?.expiresAt))
    assert.deepEqual(expiries, [clock.at + 7 * DAY, undefined, clock.at + 7 * DAY])
    assert.equal((await sweep()).adopted, 0)
  })

  test('while the process runs reach contents that expired long before', async () => {
    const { create, clock, rules, management, summary } = sweeping()
    rules.of = () => ({ ...WEEK, graceMs: 30 * DAY })
    await create('movie')
    const sweeper = createSweeper(management, { ...QUICK, shortestGraceMs: () => 30 * DAY })
    clock.at += 9 * DAY
    await sweeper.sweep()
    rules.of = () => FOREVER
    clock.at += 1
    assert.equal((await sweeper.sweep()).kept, 0)
    sweeper.reviewAll()
    assert.equal((await sweeper.sweep()).kept, 1)
    assert.equal((await summary('movie'))?.expiresAt, undefined)
  })

  test('that keep a shorter time never take any from a content', async () => {
    const { create, clock, rules, sweep, summary } = sweeping()
    await create('movie')
    rules.of = () => ({ ...WEEK, keepMs: DAY })
    clock.at += 3 * DAY
    await sweep()
    assert.equal((await summary('movie'))?.expiresAt, START + 7 * DAY)
  })

  test('reach every content, some in each sweep', async () => {
    const { create, rules, management } = sweeping({ rules: { of: () => FOREVER } })
    for (let i = 0; i < 25; i++) await create(`c${i}`)
    rules.of = () => WEEK
    const { sweep } = createSweeper(management, { ...QUICK, batch: 3, adoptPerSweep: 6 })
    const adopted: number[] = []
    for (let i = 0; i < 6; i++) adopted.push((await sweep()).adopted)
    assert.equal(
      adopted.reduce((sum, one) => sum + one),
      25,
    )
    assert.ok(Math.max(...adopted) <= 6)
  })
})

describe('a legal hold', () => {
  test('keeps an expired content from being destroyed', async () => {
    const { create, clock, store, sweep } = sweeping()
    await create('movie')
    await store.putHold(refOf('movie'), 'case 7')
    clock.at += 30 * DAY
    assert.deepEqual(await sweep(), NOTHING)
  })

  test('that ends leaves a content the whole time of its class', async () => {
    const { create, clock, store, sweep, management } = sweeping()
    await create('movie')
    await store.putHold(refOf('movie'), 'case 7')
    clock.at += 30 * DAY
    await releaseContent(management, OPERATOR, { contentId: 'movie', reason: 'case closed' })
    clock.at += 7 * DAY - 1
    assert.deepEqual(await sweep(), NOTHING)
    clock.at += DAY + 1
    assert.equal((await sweep()).destroyed, 1)
    assert.equal((await store.findSummary(refOf('movie')))?.tombstone?.cause, 'expired')
  })
})

describe('several nodes', () => {
  test('destroy and tell of each content once between them', async () => {
    const store = memoryStore()
    const clock = { at: START }
    const nodes = [1, 2, 3].map(() => sweeping({ store, clock }))
    const ids = Array.from({ length: 30 }, (_, i) => `c${i}`)
    for (const id of ids) await nodes[0]?.create(id)
    clock.at += 7 * DAY + 1
    await Promise.all(nodes.map(({ sweep }) => sweep()))
    clock.at += DAY
    const reports = await Promise.all(nodes.map(({ sweep }) => sweep()))
    assert.equal(
      reports.reduce((sum, { destroyed }) => sum + destroyed, 0),
      30,
    )
    const told = nodes.flatMap((node) => node.told())
    for (const destroyed of [false, true]) {
      const named = told.filter(([, , one]) => one === destroyed).map(([, contentId]) => contentId)
      assert.deepEqual(named.sort(), [...ids].sort())
    }
    const recorded = nodes.flatMap(({ entries }) => entries.filter(({ outcome }) => outcome === 'ok'))
    assert.equal(recorded.length, 30)
  })

  test('never destroy what is asked for, whatever comes when', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('ask' as const), content: fc.nat(3) }),
      fc.record({ kind: fc.constant('wait' as const), days: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ kind: fc.constant('sweep' as const), node: fc.nat(1) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const store = memoryStore()
        const clock = { at: START }
        const nodes = [0, 1].map(() => sweeping({ store, clock }))
        const asked = new Map<string, number>()
        for (const one of steps) {
          if (one.kind === 'wait') clock.at += one.days * DAY
          if (one.kind === 'sweep') await nodes[one.node]?.sweep()
          if (one.kind === 'ask') {
            const id = `c${one.content}`
            const age = clock.at - (asked.get(id) ?? clock.at)
            if (age >= 8 * DAY) continue
            await nodes[0]?.create(id)
            asked.set(id, clock.at)
          }
          for (const [id, at] of asked) {
            const summary = await store.findSummary(refOf(id))
            if (clock.at - at < 8 * DAY) assert.equal(summary?.hasSecret, true, `${id} lost its keys too early`)
          }
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('a sweep', () => {
  test('looks at more contents than fit into a batch', async () => {
    const { create, clock, management, store } = sweeping()
    for (let i = 0; i < 25; i++) await create(`c${String(i).padStart(2, '0')}`)
    clock.at += 9 * DAY
    const { sweep } = createSweeper(management, { ...QUICK, batch: 4 })
    const { looked, destroyed } = await sweep()
    assert.deepEqual([looked, destroyed], [25, 25])
    assert.deepEqual(await store.listExpired(clock.at, undefined, 100), [])
  })

  test('looks past contents that wait for longer', async () => {
    const { create, clock, management, rules } = sweeping()
    rules.of = ({ contentId }) => (contentId.startsWith('slow') ? { ...WEEK, graceMs: 365 * DAY } : WEEK)
    for (let i = 0; i < 10; i++) await create(`slow${i}`)
    clock.at += 1_000
    await create('quick')
    const { sweep } = createSweeper(management, { ...QUICK, batch: 3 })
    clock.at += 7 * DAY
    await sweep()
    clock.at += 2 * DAY
    assert.equal((await sweep()).destroyed, 1)
  })

  test('forgets what the ledger need not keep, and old answers to writes', async () => {
    const { store, sweep, clock } = sweeping()
    for (let i = 0; i < 3; i++) await store.record([ledgerRecord({ contentId: `c${i}`, keepUntil: START + i })])
    const write = { tenant: 'default', client: 'ops', key: 'k', requestHash: 'h', at: START, reply: undefined }
    await store.beginWrite(write, 0)
    clock.at = START + 2
    const first = await sweep()
    assert.deepEqual([first.forgottenPeriods, first.forgottenWrites], [2, 0])
    clock.at = START + 3 * DAY
    const second = await sweep()
    assert.deepEqual([second.forgottenPeriods, second.forgottenWrites], [1, 1])
  })

  test('that is asked for while one runs is that one', async () => {
    const { create, clock, sweep, events } = sweeping()
    await create('movie')
    clock.at += 7 * DAY + 1
    const [a, b] = await Promise.all([sweep(), sweep()])
    assert.equal(a, b)
    assert.equal(events.length, 1)
  })

  test('that is stopped ends after its batch', async () => {
    const { create, clock, management } = sweeping()
    for (let i = 0; i < 10; i++) await create(`c${i}`)
    clock.at += 9 * DAY
    const sweeper = createSweeper(management, { ...QUICK, batch: 2 })
    const running = sweeper.sweep()
    sweeper.stop()
    assert.ok((await running).looked <= 2)
  })

  test('names twenty contents in a record and counts the others', async () => {
    const { create, clock, sweep, entries } = sweeping()
    for (let i = 0; i < 25; i++) await create(`c${String(i).padStart(2, '0')}`)
    clock.at += 9 * DAY
    await sweep()
    assert.match(entries[0]?.reason ?? '', /"c00", .*"c19", 5 more$/)
  })
})

describe('a plan', () => {
  test('says what would be destroyed and when, and does nothing', async () => {
    const { create, clock, management, rules, store, events } = sweeping()
    rules.of = ({ contentId }) => (contentId === 'kept' ? FOREVER : WEEK)
    for (const contentId of ['due', 'kept']) {
      await create(contentId)
      await store.putExpiry([{ ...refOf(contentId), expiresAt: START + 7 * DAY }])
    }
    clock.at += 3 * DAY
    await create('waiting')
    clock.at = START + 10 * DAY + 1
    const iso = (day: number): string => new Date(START + day * DAY).toISOString()
    assert.deepEqual(await planSweep(management, {}), {
      contents: [
        {
          tenant: 'default',
          contentId: 'due',
          class: 'week',
          expiresAt: iso(7),
          action: 'destroy',
          destroyedFrom: iso(8),
          keptUntil: undefined,
        },
        {
          tenant: 'default',
          contentId: 'kept',
          class: 'forever',
          expiresAt: iso(7),
          action: 'keep',
          destroyedFrom: undefined,
          keptUntil: undefined,
        },
        {
          tenant: 'default',
          contentId: 'waiting',
          class: 'week',
          expiresAt: iso(10),
          action: 'wait',
          destroyedFrom: iso(11),
          keptUntil: undefined,
        },
      ],
      more: false,
    })
    assert.equal((await store.findSummary(refOf('due')))?.hasSecret, true)
    assert.deepEqual(events, [])
  })

  test('says when what expires soon is destroyed, and keeps only what lives longer than it looks ahead', async () => {
    const { create, management, store } = sweeping()
    for (const contentId of ['soon', 'later']) await create(contentId)
    await store.record([ledgerRecord({ contentId: 'soon', lastAt: START + 6 })])
    await store.record([ledgerRecord({ contentId: 'later', lastAt: START + 2 * DAY })])
    const { contents } = await planSweep(management, { withinMs: 8 * DAY })
    assert.deepEqual(Object.fromEntries(contents.map(({ contentId, action }) => [contentId, action])), {
      soon: 'wait',
      later: 'keep',
    })
  })

  test('is of one tenant when asked for that, as far ahead and as long as asked for', async () => {
    const { create, management } = sweeping()
    for (let i = 0; i < 5; i++) await create(`c${i}`, i % 2 === 0 ? 'even' : 'odd')
    assert.deepEqual(await planSweep(management, {}), { contents: [], more: false })
    const { contents, more } = await planSweep(management, { tenant: 'even', withinMs: 8 * DAY, limit: 2 })
    assert.deepEqual([contents.map(({ tenant }) => tenant), more], [['even', 'even'], true])
  })
})
