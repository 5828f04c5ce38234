import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openPostgresStore } from '../../src/adapters/store/postgres/store.ts'
import { openSqliteStore } from '../../src/adapters/store/sqlite/store.ts'
import { listContents } from '../../src/operations/contents/contents.ts'
import { createSweeper } from '../../src/operations/lifetime/sweep.ts'
import { resolveKeys } from '../../src/operations/resolve/resolve.ts'
import { createRotationWatcher } from '../../src/operations/rotation/missed.ts'
import type { MissedRotation } from '../../src/operations/rotation/overdue.ts'
import { contentPeriods } from '../../src/operations/rotation/periods.ts'
import { sharedPostgres } from '../adapters/store/postgres/server.ts'
import { kidOf } from '../keys/fixtures.ts'
import { DAY, ledgerKey, ledgerRecord, managing, OPERATOR, START, WEEK } from './managing.ts'

const MINUTE = 60_000
const scratch = mkdtempSync(join(tmpdir(), 'keyspring-manage-'))
const postgres = await sharedPostgres()
after(async () => {
  rmSync(scratch, { recursive: true })
})

/** Two nodes on one store. */
const ENGINES = {
  sqlite: async () => {
    const store = openSqliteStore({ file: join(scratch, `${crypto.randomUUID()}.db`) })
    return [store, store] as const
  },
  postgres: async () => {
    const url = await postgres.newUrl()
    const first = await openPostgresStore({ url, migrate: true })
    return [first, await openPostgresStore({ url })] as const
  },
}

for (const [engine, open] of Object.entries(ENGINES)) {
  describe(`management on ${engine}`, () => {
    test('two nodes destroy and tell of each content once between them', async () => {
      const stores = await open()
      const clock = { at: START }
      const rules = { of: () => WEEK }
      const nodes = stores.map((store) => managing({ store, clock, rules }))
      const ids = Array.from({ length: 25 }, (_, i) => `c${i}`)
      for (const id of ids) await nodes[0]?.create(id)
      const sweepers = nodes.map(({ management }) => createSweeper(management, { pauseMs: 0, batch: 10 }))
      clock.at += 7 * DAY + 1
      const expired = await Promise.all(sweepers.map(({ sweep }) => sweep()))
      clock.at += DAY
      const destroyed = await Promise.all(sweepers.map(({ sweep }) => sweep()))
      const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0)
      assert.equal(sum(expired.map((report) => report.expired)), 25)
      assert.equal(sum(destroyed.map((report) => report.destroyed)), 25)
      const told = nodes.flatMap(({ events }) => events.map(({ contentId, data }) => `${contentId} ${data.destroyed}`))
      assert.deepEqual(told.sort(), ids.flatMap((id) => [`${id} false`, `${id} true`]).sort())
      const { contents } = await listContents(nodes[0]?.management ?? assert.fail(), OPERATOR, { limit: 1_000 })
      assert.ok(contents.length === 25 && contents.every(({ state }) => state === 'destroyed'))
      for (const store of new Set(stores)) await store.close()
    })

    test('rules with a limit reach every content that never expired', async () => {
      const [store, other] = await open()
      const { management, create, rules, clock } = managing({ store })
      for (let i = 0; i < 25; i++) await create(`c${i}`, i % 2 === 0 ? 'even' : 'odd')
      rules.of = () => WEEK
      const { sweep } = createSweeper(management, { pauseMs: 0, batch: 10 })
      assert.equal((await sweep()).adopted, 25)
      assert.equal((await sweep()).adopted, 0)
      const summary = await store.findSummary({ tenant: 'odd', contentId: 'c1' })
      assert.equal(summary?.expiresAt, clock.at + 7 * DAY)
      for (const one of new Set([store, other])) await one.close()
    })

    test('one of two nodes tells of a missed rotation', async () => {
      const stores = await open()
      const clock = { at: START }
      const missed: MissedRotation[] = []
      const watchers = stores.map((store) =>
        createRotationWatcher({
          store,
          now: () => clock.at,
          onMissed: (one) => missed.push(one),
          onError: (error) => assert.fail(`${error}`),
        }),
      )
      for (let i = 0; i < 4; i++) {
        const record = ledgerRecord({ periodId: `p${i}`, periodIndex: i, firstAt: clock.at, lastAt: clock.at })
        await stores[0].record([record])
        for (const watcher of watchers) watcher.issued(record)
        clock.at += MINUTE
      }
      clock.at += MINUTE
      await Promise.all(watchers.map((watcher) => watcher.tick()))
      assert.deepEqual(
        missed.map(({ periodIndex }) => periodIndex),
        [4],
      )
      const schedule = await contentPeriods(managing({ store: stores[1], clock }).management, OPERATOR, {
        contentId: 'channel',
        expected: 1,
      })
      assert.deepEqual(
        schedule.periods.map(({ index, state }) => [index, state]),
        [
          [0, 'issued'],
          [1, 'issued'],
          [2, 'issued'],
          [3, 'current'],
          [4, 'expected'],
        ],
      )
      for (const store of new Set(stores)) await store.close()
    })

    test('keys are resolved by kid alone', async () => {
      const [store, other] = await open()
      const { management, create } = managing({ store })
      await create('movie')
      await store.record([ledgerRecord({ contentId: 'movie', keys: [ledgerKey(kidOf(1))] })])
      const resolved = await resolveKeys(management, OPERATOR, { kids: [kidOf(1)] })
      const content = await management.contentKeys.open({ tenant: 'default', contentId: 'movie' }, [kidOf(1)])
      const key = content.find({ kid: kidOf(1), contentKeyClass: 'drm' }) ?? assert.fail('no key')
      assert.ok('keys' in resolved)
      assert.deepEqual(
        resolved.keys.map((one) => [one.contentId, one.key]),
        [['movie', Buffer.from(key.contentKey).toString('base64')]],
      )
      for (const one of new Set([store, other])) await one.close()
    })
  })
}
