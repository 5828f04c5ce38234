import { type RecentPeriods, toRecentPeriod } from '../../../keys/ports/ledger-store.ts'
import { toLedgerRecord } from '../ledger-rows.ts'
import type { PostgresPool } from './pool.ts'

/** The names are compared as bytes: how the database sorts texts may change with its system. */
const RECENT = {
  name: 'keyspring-ledger-recent',
  text: `SELECT tenant, content_id, period_id, first_at, record, keep_until FROM keyspring_ledger_period
    WHERE first_at >= $1 AND first_at < $5 AND period_id <> ''
      AND (first_at, tenant COLLATE "C", content_id COLLATE "C", period_id COLLATE "C") > ($1, $2, $3, $4)
    ORDER BY first_at, tenant COLLATE "C", content_id COLLATE "C", period_id COLLATE "C" LIMIT $6`,
}

/** The newest part of the ledger, in the order of its time. */
export function postgresRecentPeriods(pool: PostgresPool): RecentPeriods {
  return {
    async listRecent({ since, until }, after, limit) {
      const place: readonly unknown[] = after === undefined ? [since, '', '', ''] : JSON.parse(after)
      const { rows } = await pool.run(RECENT, [...place, until, limit])
      const last = rows.length < limit ? undefined : rows.at(-1)
      return {
        periods: rows.map((row) => toRecentPeriod(toLedgerRecord(row))),
        next: last && JSON.stringify([Number(last.first_at), last.tenant, last.content_id, last.period_id]),
      }
    },
  }
}
