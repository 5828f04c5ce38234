import { type LedgerConflict, ledgerKeyId, mergeLedgerRecords } from '../../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import {
  type LedgerKey,
  type LedgerRecord,
  type LedgerStore,
  type RecentPeriods,
  toRecentPeriod,
} from '../../../keys/ports/ledger-store.ts'
import {
  damaged,
  MAX_PERIODS_OF_KID,
  PERIODS_OF_KID,
  type Row,
  toClass,
  toIssuedKid,
  toLedgerJson,
  toLedgerRecord,
  toStoredKid,
  toText,
} from '../rows.ts'
import type { PostgresPool, Run } from './pool.ts'
import { escapeName, namesOf, unescapeName } from './reads.ts'

const BY_KID = {
  name: 'keyspring-ledger-by-kid',
  text: `SELECT DISTINCT last_at, first_at, record, keep_until FROM
      (SELECT DISTINCT content_id, class FROM keyspring_ledger_kid
        WHERE tenant = $1 AND kid = $2 AND content_id = coalesce($3, content_id) LIMIT $5) AS place
      CROSS JOIN LATERAL
        (SELECT period.* FROM keyspring_ledger_kid AS issued
          JOIN keyspring_ledger_period AS period USING (tenant, content_id, period_id)
          WHERE issued.tenant = $1 AND issued.kid = $2 AND issued.content_id = place.content_id
            AND issued.class = place.class
          ORDER BY period.first_at DESC LIMIT $4) AS begun
    ORDER BY last_at DESC, first_at DESC LIMIT $5`,
}
const BY_CONTENT = {
  name: 'keyspring-ledger-by-content',
  text: `SELECT record, keep_until FROM keyspring_ledger_period WHERE tenant = $1 AND content_id = $2
    ORDER BY last_at DESC, first_at DESC LIMIT $3`,
}
const PRUNE = {
  name: 'keyspring-ledger-prune',
  text: `DELETE FROM keyspring_ledger_period WHERE (tenant, content_id, period_id) IN
    (SELECT tenant, content_id, period_id FROM keyspring_ledger_period WHERE keep_until < $1 ORDER BY keep_until LIMIT $2)`,
}
/** New periods are inserted; existing ones stay. */
const PUT = {
  name: 'keyspring-ledger-put',
  text: `INSERT INTO keyspring_ledger_period (tenant, content_id, period_id, first_at, last_at, keep_until, record)
    SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::TEXT[])
    ON CONFLICT (tenant, content_id, period_id) DO NOTHING RETURNING tenant, content_id, period_id`,
}
const LOCK = {
  name: 'keyspring-ledger-lock',
  text: `SELECT record, keep_until FROM keyspring_ledger_period WHERE tenant = $1 AND content_id = $2 AND period_id = $3 FOR UPDATE`,
}
const MERGE = {
  name: 'keyspring-ledger-merge',
  text: `UPDATE keyspring_ledger_period SET first_at = $4, last_at = $5, keep_until = $6, record = $7
    WHERE tenant = $1 AND content_id = $2 AND period_id = $3`,
}
const KNOWN_KIDS = {
  name: 'keyspring-ledger-known-kids',
  text: `SELECT DISTINCT tenant, content_id, kid, class FROM keyspring_ledger_kid
    WHERE (tenant, content_id, kid) IN (SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::UUID[]))`,
}
const PUT_KIDS = {
  name: 'keyspring-ledger-put-kids',
  text: `INSERT INTO keyspring_ledger_kid (tenant, content_id, kid, class, period_id)
    SELECT * FROM unnest($1::TEXT[], $2::TEXT[], $3::UUID[], $4::TEXT[], $5::TEXT[])
    ON CONFLICT (tenant, kid, content_id, class, period_id) DO NOTHING`,
}

/** For contents that are stored and not destroyed. The order is fixed, so that two transactions cannot deadlock. */
const PUT_ISSUED = {
  name: 'keyspring-put-issued',
  text: `INSERT INTO keyspring_issued_kid (tenant, content_id, kid, class)
    SELECT DISTINCT given.* FROM unnest($1::TEXT[], $2::TEXT[], $3::UUID[], $4::TEXT[]) AS given (tenant, content_id, kid, class)
      JOIN keyspring_content AS content USING (tenant, content_id)
      WHERE content.tombstone_at IS NULL ORDER BY 1, 2, 3, 4
    ON CONFLICT (tenant, content_id, kid, class) DO NOTHING`,
}
/** One row also for a content without issued kids. */
const FIND_ISSUED = {
  name: 'keyspring-find-issued',
  text: `SELECT at, kid, class FROM keyspring_issued_since LEFT JOIN keyspring_issued_kid
      ON tenant = $1 AND content_id = $2 AND kid = ANY ($3::UUID[]) ORDER BY kid, class`,
}
const LIST_ISSUED = {
  name: 'keyspring-list-issued',
  text: `SELECT kid, class FROM keyspring_issued_kid WHERE tenant = $1 AND content_id = $2
      AND ($3::UUID IS NULL OR (kid, class) > ($3, $4)) ORDER BY kid, class LIMIT $5`,
}
const PUT_SINCE = {
  name: 'keyspring-put-issued-since',
  text: 'UPDATE keyspring_issued_since SET at = greatest(at, $1)',
}

/**
 * The ledger in PostgreSQL. Rows are locked in a fixed order, so that nodes that report the same periods do not
 * deadlock.
 */
export function postgresLedger(pool: PostgresPool): Omit<LedgerStore, 'close'> {
  return {
    async record(given) {
      const records = inOneOrder(given)
      return records.length === 0 ? [] : pool.transaction((run) => record(run, records))
    },
    async findByKid(tenant, kid, { contentId, periods = PERIODS_OF_KID } = {}) {
      const of = contentId === undefined ? null : escapeName(contentId)
      const { rows } = await pool.run(BY_KID, [escapeName(tenant), kid, of, periods, MAX_PERIODS_OF_KID])
      return rows.map(toLedgerRecord)
    },
    findByContent: async (ref, limit) =>
      (await pool.run(BY_CONTENT, [...namesOf(ref), limit])).rows.map(toLedgerRecord),
    async findIssued(ref, kids) {
      const { rows } = await pool.run(FIND_ISSUED, [...namesOf(ref), kids])
      const completeSince = Number(rows[0]?.at ?? damaged('when the record of issued kids began'))
      return { issued: rows.filter(({ kid }) => kid !== null).map(toIssuedKid), completeSince }
    },
    async listIssued(ref, after, limit) {
      const place = [after?.kid ?? null, after?.contentKeyClass ?? '']
      return (await pool.run(LIST_ISSUED, [...namesOf(ref), ...place, limit])).rows.map(toIssuedKid)
    },
    async putIssued(ref, issued) {
      const rows = issued.map(({ kid, contentKeyClass }) => [...namesOf(ref), kid, contentKeyClass])
      await pool.run(PUT_ISSUED, columnsOf(rows, 4))
    },
    putCompleteSince: async (at) => void (await pool.run(PUT_SINCE, [at])),
    prune: async (now, limit) => (await pool.run(PRUNE, [now, limit], false)).count,
  }
}

async function record(run: Run, records: readonly LedgerRecord[]): Promise<readonly LedgerConflict[]> {
  const rows = records.map(
    (one) => [...periodOf(one), ...columnsOfRecord(one)] as [string, string, string, ...unknown[]],
  )
  const put = await run(PUT, columnsOf(rows, 7))
  const isNew = new Set(put.rows.map((row) => JSON.stringify([row.tenant, row.content_id, row.period_id])))
  for (const one of records) {
    const period = periodOf(one)
    if (isNew.has(JSON.stringify(period))) continue
    const [standing] = (await run(LOCK, period)).rows
    // It was pruned between the two statements. This report is lost; the next one inserts the period again.
    if (standing === undefined) continue
    const merged = mergeLedgerRecords(toLedgerRecord(standing), one)
    await run(MERGE, [...period, ...columnsOfRecord(merged)])
  }

  const issued = records.flatMap((one) => one.keys.map((key) => ({ record: one, key })))
  const kids = issued.map(({ record: of, key }) => [...namesOf(of), key.kid])
  const known = await run(KNOWN_KIDS, columnsOf(kids, 3))
  const conflicts = conflictsOf(issued, new Set(known.rows.map(knownId)))
  const keys = issued
    .map(({ record: of, key }) => [...namesOf(of), key.kid, key.contentKeyClass, escapeName(of.periodId)])
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  await run(PUT_KIDS, columnsOf(keys, 5))
  await run(PUT_ISSUED, columnsOf(keys, 4))
  return conflicts
}

/** The kids that appear in one class for the first time and were already issued in the other. */
function conflictsOf(
  issued: readonly { readonly record: ContentRef; readonly key: LedgerKey }[],
  seen: Set<string>,
): readonly LedgerConflict[] {
  const conflicts: LedgerConflict[] = []
  for (const { record: of, key } of issued) {
    const { tenant, contentId } = of
    const other = { kid: key.kid, contentKeyClass: key.contentKeyClass === 'clear' ? 'drm' : 'clear' } as const
    const id = seenId(of, key)
    if (!seen.has(id) && seen.has(seenId(of, other))) conflicts.push({ tenant, contentId, kid: key.kid })
    seen.add(id)
  }
  return conflicts
}

function seenId({ tenant, contentId }: ContentRef, key: Pick<LedgerKey, 'kid' | 'contentKeyClass'>): string {
  return JSON.stringify([tenant, contentId, ledgerKeyId(key)])
}

function knownId(row: Row): string {
  const ref = { tenant: unescapeName(toText(row.tenant)), contentId: unescapeName(toText(row.content_id)) }
  return seenId(ref, { kid: toStoredKid(row.kid), contentKeyClass: toClass(row.class) })
}

/** One record per period, ordered by name. */
function inOneOrder(records: readonly LedgerRecord[]): readonly LedgerRecord[] {
  const merged = new Map<string, LedgerRecord>()
  for (const one of records) {
    const id = JSON.stringify(periodOf(one))
    const before = merged.get(id)
    merged.set(id, before === undefined ? one : mergeLedgerRecords(before, one))
  }
  return [...merged.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

function periodOf(one: LedgerRecord): [tenant: string, contentId: string, periodId: string] {
  return [...namesOf(one), escapeName(one.periodId)]
}

function columnsOf(rows: readonly (readonly unknown[])[], columns: number): unknown[][] {
  return Array.from({ length: columns }, (_, column) => rows.map((row) => row[column]))
}

function columnsOfRecord(one: LedgerRecord): readonly unknown[] {
  return [one.firstAt, one.lastAt, one.keepUntil ?? null, toLedgerJson(one)]
}

/** Names compare as bytes: the collation of the database can change with its operating system. */
const RECENT = {
  name: 'keyspring-ledger-recent',
  text: `SELECT tenant, content_id, period_id, first_at, record, keep_until FROM keyspring_ledger_period
    WHERE first_at >= $1 AND first_at < $5 AND period_id <> ''
      AND (first_at, tenant COLLATE "C", content_id COLLATE "C", period_id COLLATE "C") > ($1, $2, $3, $4)
    ORDER BY first_at, tenant COLLATE "C", content_id COLLATE "C", period_id COLLATE "C" LIMIT $6`,
}

/** The newest periods of the ledger, ordered by time. */
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
