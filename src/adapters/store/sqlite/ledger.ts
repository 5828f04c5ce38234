import type { DatabaseSync } from 'node:sqlite'
import type { Kid } from '../../../formats/cenc.ts'
import { type LedgerConflict, mergeLedgerRecords } from '../../../keys/ledger/ledger.ts'
import type { ContentRef, Tenant } from '../../../keys/ports/content-ref.ts'
import {
  type FoundIssued,
  type IssuedKid,
  type KidQuery,
  type LedgerRecord,
  type RecentPeriods,
  toRecentPeriod,
} from '../../../keys/ports/ledger-store.ts'
import {
  MAX_PERIODS_OF_KID,
  newestFirst,
  PERIODS_OF_KID,
  toIssuedKid,
  toLedgerJson,
  toLedgerRecord,
  toText,
} from '../rows.ts'

interface SqliteLedgerReads {
  findByKid(tenant: Tenant, kid: Kid, query?: KidQuery): readonly LedgerRecord[]
  findByContent(ref: ContentRef, limit: number): readonly LedgerRecord[]
  findIssued(ref: ContentRef, kids: readonly Kid[]): FoundIssued
  listIssued(ref: ContentRef, after: IssuedKid | undefined, limit: number): readonly IssuedKid[]
}

export function sqliteLedgerReads(db: DatabaseSync): SqliteLedgerReads {
  // One row per content and class, without reading its periods.
  const nextOfKid = db.prepare(
    `SELECT content_id, class FROM ledger_kid WHERE tenant = ? AND kid = ? AND (content_id, class) > (?, ?)
     ORDER BY content_id, class LIMIT 1`,
  )
  const byKid = db.prepare(
    `SELECT id, record, keep_until FROM ledger_period WHERE id IN (SELECT period FROM ledger_kid
       WHERE tenant = ? AND kid = ? AND content_id = ? AND class = ? ORDER BY period DESC LIMIT ?)`,
  )
  const byContent = db.prepare(
    `SELECT record, keep_until FROM ledger_period WHERE tenant = ? AND content_id = ? ORDER BY last_at DESC, first_at DESC LIMIT ?`,
  )
  const issued = db.prepare(
    `SELECT kid, class FROM issued_kid WHERE tenant = ? AND content_id = ?
       AND kid IN (SELECT value FROM json_each(?)) ORDER BY kid, class`,
  )
  const since = db.prepare('SELECT at FROM issued_since')
  const allIssued = db.prepare(
    `SELECT kid, class FROM issued_kid WHERE tenant = ? AND content_id = ? AND (kid, class) > (?, ?)
     ORDER BY kid, class LIMIT ?`,
  )
  return {
    findByKid(tenant, kid, { contentId, periods = PERIODS_OF_KID } = {}) {
      const found = new Map<unknown, LedgerRecord>()
      let after = [contentId ?? '', '']
      while (found.size < MAX_PERIODS_OF_KID) {
        const next = nextOfKid.get(tenant, kid, ...after)
        if (next === undefined || (contentId !== undefined && next.content_id !== contentId)) break
        after = [toText(next.content_id), toText(next.class)]
        for (const row of byKid.all(tenant, kid, ...after, periods)) found.set(row.id, toLedgerRecord(row))
      }
      return [...found.values()].sort(newestFirst)
    },
    findByContent: ({ tenant, contentId }, limit) => byContent.all(tenant, contentId, limit).map(toLedgerRecord),
    findIssued: ({ tenant, contentId }, kids) => ({
      issued: issued.all(tenant, contentId, JSON.stringify(kids)).map(toIssuedKid),
      completeSince: Number(since.get()?.at),
    }),
    listIssued({ tenant, contentId }, after, limit) {
      const { kid, contentKeyClass } = after ?? { kid: '', contentKeyClass: '' }
      return allIssued.all(tenant, contentId, kid, contentKeyClass, limit).map(toIssuedKid)
    },
  }
}

export function sqliteLedgerWrites(db: DatabaseSync) {
  const find = db.prepare(
    'SELECT record, keep_until FROM ledger_period WHERE tenant = ? AND content_id = ? AND period_id = ?',
  )
  const put = db.prepare(
    `INSERT INTO ledger_period (tenant, content_id, period_id, first_at, last_at, keep_until, record)
     VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (tenant, content_id, period_id) DO UPDATE SET first_at = excluded.first_at,
       last_at = excluded.last_at, keep_until = excluded.keep_until, record = excluded.record
     RETURNING id`,
  )
  const ofKid = 'WHERE tenant = ? AND kid = ? AND content_id = ? AND class = ?'
  const hasKid = db.prepare(`SELECT 1 FROM ledger_kid ${ofKid} LIMIT 1`)
  const putKid = db.prepare(
    'INSERT INTO ledger_kid (tenant, kid, content_id, class, period) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  )
  const addIssued = db.prepare(
    `INSERT INTO issued_kid (tenant, content_id, kid, class) SELECT tenant, content_id, ?, ? FROM content
       WHERE tenant = ? AND content_id = ? AND tombstone_at IS NULL ON CONFLICT DO NOTHING`,
  )
  const putSince = db.prepare('UPDATE issued_since SET at = max(at, ?)')
  const putIssued = ({ tenant, contentId }: ContentRef, issued: readonly IssuedKid[]): void => {
    for (const { kid, contentKeyClass } of issued) addIssued.run(kid, contentKeyClass, tenant, contentId)
  }
  const prune = db.prepare(
    `DELETE FROM ledger_period
     WHERE id IN (SELECT id FROM ledger_period WHERE keep_until < ? ORDER BY keep_until LIMIT ?)`,
  )

  const putRecord = (given: LedgerRecord): readonly LedgerConflict[] => {
    const { tenant, contentId, periodId } = given
    const standing = find.get(tenant, contentId, periodId)
    const record = standing === undefined ? given : mergeLedgerRecords(toLedgerRecord(standing), given)
    const { firstAt, lastAt, keepUntil = null } = record
    const period = put.get(tenant, contentId, periodId, firstAt, lastAt, keepUntil, toLedgerJson(record))?.id ?? null
    const conflicts: LedgerConflict[] = []
    for (const { kid, contentKeyClass } of given.keys) {
      const isKnown = hasKid.get(tenant, kid, contentId, contentKeyClass) !== undefined
      const other = contentKeyClass === 'clear' ? 'drm' : 'clear'
      if (!isKnown && hasKid.get(tenant, kid, contentId, other) !== undefined)
        conflicts.push({ tenant, contentId, kid })
      putKid.run(tenant, kid, contentId, contentKeyClass, period)
    }
    putIssued(given, given.keys)
    return conflicts
  }

  return {
    putIssued,
    putCompleteSince: (at: number) => void putSince.run(at),
    record: (records: readonly LedgerRecord[]) => records.flatMap(putRecord),
    prune: (now: number, limit: number) => Number(prune.run(now, limit).changes),
  }
}

type SqliteRecentReads = (
  ...values: Parameters<RecentPeriods['listRecent']>
) => Awaited<ReturnType<RecentPeriods['listRecent']>>

/** The newest periods of the ledger, ordered by time. */
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
