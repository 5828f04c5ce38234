import type { Kid } from '../../../formats/cenc.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentLife, ContentStore, StoredContent, Tombstone } from '../../../keys/ports/content-store.ts'
import {
  COMPLETE_OVERRIDES,
  isBare,
  NOTHING as NO_KEYS,
  type Row,
  toBytes,
  toDataKey,
  toKidOverride,
  toLife,
  toOverride,
  toText,
  toTombstone,
  UNBORN,
} from '../rows.ts'
import type { PostgresPool } from './pool.ts'

export type PostgresReads = Pick<ContentStore, 'findContent' | 'listOverrides' | 'findDataKeys' | 'sampleDataKeys'>

const OF_CONTENT = 'WHERE tenant = $1 AND content_id = $2'
const NOTHING = 'NULL::UUID AS kid, NULL::TEXT AS class, NULL::BYTEA AS sealed, NULL::TEXT AS pssh'

/** The columns of a content except its name. */
export const CONTENT_COLUMNS =
  'sealed_secret, tombstone_at, tombstone_reason, tombstone_cause, created_at, expires_at, hold, epoch'
const NO_CONTENT = CONTENT_COLUMNS.replaceAll(/\w+/g, 'NULL')

/** One statement, so that all rows are of the same moment. */
const CONTENT = {
  name: 'keyspring-find-content',
  text: `
    SELECT 'content' AS part, ${CONTENT_COLUMNS}, ${NOTHING},
      NULL::TEXT AS track_type, NULL::TEXT AS period_index
      FROM keyspring_content ${OF_CONTENT}
    UNION ALL
    (SELECT 'override', ${NO_CONTENT}, kid, class, sealed, pssh, NULL, NULL
      FROM keyspring_override ${OF_CONTENT} LIMIT ${COMPLETE_OVERRIDES + 1})
    UNION ALL
    SELECT 'rule', ${NO_CONTENT}, kid, NULL, NULL, NULL, track_type, period_index
      FROM keyspring_kid_override ${OF_CONTENT}`,
}
const OVERRIDES_OF_KIDS = {
  name: 'keyspring-find-overrides',
  text: `SELECT kid, class, sealed, pssh FROM keyspring_override ${OF_CONTENT} AND kid = ANY($3::UUID[])`,
}
const OVERRIDES = {
  name: 'keyspring-list-overrides',
  text: `SELECT kid, class, sealed, pssh FROM keyspring_override ${OF_CONTENT}`,
}
const DATA_KEYS = {
  name: 'keyspring-find-data-keys',
  text: 'SELECT tenant, generation, wrapped FROM keyspring_data_key WHERE tenant = $1 ORDER BY generation',
}
const SAMPLE = {
  name: 'keyspring-sample-data-keys',
  text: `SELECT tenant, generation, wrapped FROM keyspring_data_key AS one
    WHERE generation = (SELECT max(generation) FROM keyspring_data_key WHERE tenant = one.tenant) ORDER BY tenant`,
}

export function postgresReads(pool: Pick<PostgresPool, 'run'>): PostgresReads {
  return {
    async findContent(ref, kids) {
      const { rows } = await pool.run(CONTENT, namesOf(ref))
      if (rows.every((row) => row.part === 'content' && isBare(row))) return undefined
      const first = rows.filter(({ part }) => part === 'override')
      const overridesComplete = first.length <= COMPLETE_OVERRIDES
      const known = overridesComplete
        ? first
        : (await pool.run(OVERRIDES_OF_KIDS, [...namesOf(ref), [...new Set<Kid>(kids)]])).rows
      return contentOf(rows, known, overridesComplete)
    },
    listOverrides: async (ref) => sorted((await pool.run(OVERRIDES, namesOf(ref))).rows),
    findDataKeys: async (tenant) => (await pool.run(DATA_KEYS, [escapeName(tenant)])).rows.map(toNamedDataKey),
    sampleDataKeys: async () => (await pool.run(SAMPLE, [])).rows.map(toNamedDataKey),
  }
}

/** A content as the first two values of a statement. */
export function namesOf({ tenant, contentId }: ContentRef): [tenant: string, contentId: string] {
  return [escapeName(tenant), escapeName(contentId)]
}

export function toNamedDataKey(row: Row) {
  return toDataKey({ ...row, tenant: unescapeName(toText(row.tenant)) })
}

export function toNamedLife(row: Row): ContentLife {
  const { hold, ...life } = toLife(row)
  return { ...life, hold: hold === undefined ? undefined : unescapeName(hold) }
}

export function toNamedTombstone(row: Row): Tombstone | undefined {
  const tombstone = toTombstone(row)
  return tombstone && { ...tombstone, reason: unescapeName(tombstone.reason) }
}

function contentOf(rows: readonly Row[], overrides: readonly Row[], overridesComplete: boolean): StoredContent {
  const content = rows.find(({ part }) => part === 'content')
  const life = content === undefined ? UNBORN : toNamedLife(content)
  const tombstone = content && toNamedTombstone(content)
  // A row that a write left at the moment of the destruction does not belong to the content. That write removes it.
  if (tombstone !== undefined) return { ...NO_KEYS, life, tombstone }
  const rules = rows.filter(({ part }) => part === 'rule')
  return {
    life,
    sealedSecret: content === undefined || content.sealed_secret === null ? undefined : toBytes(content.sealed_secret),
    overrides: sorted(overrides),
    overridesComplete,
    kidOverrides: rules
      .map((row) => toKidOverride({ ...row, track_type: unescapeName(toText(row.track_type)) }))
      .sort((a, b) => (ruleOrder(a) < ruleOrder(b) ? -1 : 1)),
    tombstone: undefined,
  }
}

/** Ordered by kid and class, whatever the collation of the database. */
function sorted(rows: readonly Row[]) {
  const order = ({ kid, contentKeyClass }: { kid: string; contentKeyClass: string }) => `${kid} ${contentKeyClass}`
  return rows.map(toOverride).sort((a, b) => (order(a) < order(b) ? -1 : 1))
}

function ruleOrder(rule: { readonly intendedTrackType: string | undefined; readonly periodIndex: number | undefined }) {
  return JSON.stringify([rule.intendedTrackType ?? '', rule.periodIndex ?? ''])
}

/**
 * A name in a form that PostgreSQL can store: its texts cannot hold U+0000. A name without U+0000 and without a
 * backslash stays unchanged.
 */
export function escapeName(name: string): string {
  return name.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')
}

/** The original of an escaped name. */
export function unescapeName(text: string): string {
  return text.replaceAll(/\\([\\0])/g, (_, escaped: string) => (escaped === '0' ? '\0' : '\\'))
}
