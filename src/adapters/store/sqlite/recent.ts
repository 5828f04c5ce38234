import type { DatabaseSync } from 'node:sqlite'
import { type RecentPeriods, toRecentPeriod } from '../../../keys/ports/ledger-store.ts'
import { toLedgerRecord } from '../ledger-rows.ts'

export type SqliteRecentReads = (
  ...values: Parameters<RecentPeriods['listRecent']>
) => Awaited<ReturnType<RecentPeriods['listRecent']>>

/** The newest part of the ledger, in the order of its time. */
export function sqliteRecentReads(db: DatabaseSync): SqliteRecentReads {
  const select = db.prepare(
    `SELECT id, first_at, record, keep_until FROM ledger_period
     WHERE (first_at, id) > (?, ?) AND first_at < ? AND period_id <> '' ORDER BY first_at, id LIMIT ?`,
  )
  return ({ since, until }, after, limit) => {
    const [time, id] = after === undefined ? [since, 0] : (JSON.parse(after) as [number, number])
    const rows = select.all(time, id, until, limit)
    const last = rows.length < limit ? undefined : rows.at(-1)
    return {
      periods: rows.map((row) => toRecentPeriod(toLedgerRecord(row))),
      next: last && JSON.stringify([Number(last.first_at), Number(last.id)]),
    }
  }
}
