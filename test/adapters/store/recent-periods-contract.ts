import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LedgerStore } from '../../../src/keys/ports/ledger-store.ts'
import {
  type RecentPeriod,
  type RecentPeriods,
  type Span,
  toRecentPeriod,
} from '../../../src/keys/ports/ledger-store.ts'
import { recordOf } from './ledger-store-contract.ts'

const HOUR = 3_600_000

/** What every adapter of `RecentPeriods` must do. Each adapter's test file calls this, then adds its own. */
export function recentPeriodsContract(name: string, open: () => Promise<RecentPeriods & LedgerStore>): void {
  const opened = (title: string, body: (store: RecentPeriods & LedgerStore) => Promise<void>) =>
    test(title, async () => {
      const store = await open()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    })
  /** Everything there is, in the order of its time. */
  const listAll = async (store: RecentPeriods, span: Span, limit: number): Promise<readonly RecentPeriod[]> => {
    const all: RecentPeriod[] = []
    let after: string | undefined
    do {
      const { periods, next } = await store.listRecent(span, after, limit)
      assert.ok(periods.length <= limit)
      all.push(...periods)
      after = next
    } while (after !== undefined)
    return all.sort((a, b) => a.firstAt - b.firstAt || (a.contentId < b.contentId ? -1 : 1))
  }

  describe(`recent periods: ${name}`, () => {
    opened(
      'are those that were first asked for in a span of time, whenever they were asked for last',
      async (store) => {
        const asked = [HOUR - 1, HOUR, HOUR + 1, 2 * HOUR - 1, 2 * HOUR]
        const records = asked.map((firstAt) => recordOf({ periodId: `p${firstAt}`, firstAt, lastAt: 9 * HOUR }))
        await store.record(records)
        const found = await listAll(store, { since: HOUR, until: 2 * HOUR }, 100)
        assert.deepEqual(found, records.slice(1, 4).map(toRecentPeriod))
      },
    )

    opened('have the times of their documents, and no keys', async (store) => {
      const times = { periodIndex: 4, periodStart: '2026-11-21T00:00:00Z', periodEnd: '2026-11-21T00:05:00Z' }
      await store.record([recordOf({ tenant: 'other', periodId: '"p" \\ é', firstAt: 5, lastAt: 5, ...times })])
      assert.deepEqual(await listAll(store, { since: 0, until: 10 }, 1), [
        { tenant: 'other', contentId: 'live', periodId: '"p" \\ é', firstAt: 5, ...times },
      ])
    })

    opened('are none of documents without periods', async (store) => {
      await store.record([recordOf({ periodId: '', firstAt: 5, lastAt: 5 })])
      assert.deepEqual(await store.listRecent({ since: 0, until: 10 }, undefined, 9), { periods: [], next: undefined })
    })

    opened('come page by page, each of them once, many of one moment too', async (store) => {
      const records = Array.from({ length: 45 }, (_, i) => {
        const firstAt = Math.floor(i / 20) * HOUR
        return recordOf({ contentId: `c${String(i).padStart(2, '0')}`, periodId: 'p', firstAt, lastAt: firstAt })
      })
      await store.record(records)
      for (const limit of [1, 7, 45, 46]) {
        const found = await listAll(store, { since: 0, until: 9 * HOUR }, limit)
        assert.deepEqual(found, records.map(toRecentPeriod), `pages of ${limit}`)
      }
    })

    opened('that are asked for again stay where they were', async (store) => {
      const first = recordOf({ periodId: 'p', firstAt: HOUR, lastAt: HOUR, keepUntil: undefined })
      await store.record([first])
      await store.record([{ ...first, firstAt: 5 * HOUR, lastAt: 5 * HOUR }])
      assert.deepEqual(await listAll(store, { since: 0, until: 2 * HOUR }, 9), [toRecentPeriod(first)])
      assert.deepEqual(await listAll(store, { since: 2 * HOUR, until: 9 * HOUR }, 9), [])
    })

    opened('that were forgotten are not there', async (store) => {
      await store.record([recordOf({ periodId: 'p', firstAt: 5, lastAt: 5, keepUntil: 6 })])
      assert.equal(await store.prune(7, 9), 1)
      assert.deepEqual(await listAll(store, { since: 0, until: 10 }, 9), [])
    })
  })
}
