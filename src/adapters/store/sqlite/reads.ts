import type { DatabaseSync } from 'node:sqlite'
import type { Kid } from '../../../formats/cenc.ts'
import type { ContentRef, Tenant } from '../../../keys/ports/content-ref.ts'
import type { StoredContent, StoredOverride } from '../../../keys/ports/content-store.ts'
import type { StoredDataKey } from '../../../keys/ports/data-key-store.ts'
import {
  COMPLETE_OVERRIDES,
  isBare,
  toBytes,
  toDataKey,
  toKidOverride,
  toLife,
  toOverride,
  toTombstone,
  UNBORN,
} from '../rows.ts'

/** The reads of a ContentStore on one connection. */
interface SqliteReads {
  findContent(ref: ContentRef, kids: readonly Kid[]): StoredContent | undefined
  listOverrides(ref: ContentRef): readonly StoredOverride[]
  findDataKeys(tenant: Tenant): readonly StoredDataKey[]
  sampleDataKeys(): readonly StoredDataKey[]
}

/** The columns of a content except its name. */
export const CONTENT_COLUMNS =
  'sealed_secret, tombstone_at, tombstone_reason, tombstone_cause, created_at, expires_at, hold, epoch'

export function sqliteReads(db: DatabaseSync): SqliteReads {
  const ofContent = 'WHERE tenant = ? AND content_id = ?'
  const content = db.prepare(`SELECT ${CONTENT_COLUMNS} FROM content ${ofContent}`)
  const overrides = db.prepare(`SELECT kid, class, sealed, pssh FROM override ${ofContent} ORDER BY kid, class LIMIT ?`)
  const overridesOfKid = db.prepare(
    `SELECT kid, class, sealed, pssh FROM override ${ofContent} AND kid = ? ORDER BY class`,
  )
  const kidOverrides = db.prepare(
    `SELECT track_type, period_index, kid FROM kid_override ${ofContent} ORDER BY track_type, period_index`,
  )
  const dataKeys = db.prepare('SELECT tenant, generation, wrapped FROM data_key WHERE tenant = ? ORDER BY generation')
  const sample = db.prepare(
    'SELECT tenant, max(generation) AS generation, wrapped FROM data_key GROUP BY tenant ORDER BY tenant',
  )

  return {
    findContent({ tenant, contentId }, kids) {
      const found = content.get(tenant, contentId)
      const row = found === undefined || isBare(found) ? undefined : found
      const first = overrides.all(tenant, contentId, COMPLETE_OVERRIDES + 1)
      const rules = kidOverrides.all(tenant, contentId)
      if (row === undefined && first.length === 0 && rules.length === 0) return undefined
      const overridesComplete = first.length <= COMPLETE_OVERRIDES
      const known = overridesComplete
        ? first
        : [...new Set(kids)].flatMap((kid) => overridesOfKid.all(tenant, contentId, kid))
      return {
        life: row === undefined ? UNBORN : toLife(row),
        sealedSecret: row === undefined || row.sealed_secret === null ? undefined : toBytes(row.sealed_secret),
        overrides: known.map(toOverride),
        overridesComplete,
        kidOverrides: rules.map(toKidOverride),
        tombstone: row === undefined ? undefined : toTombstone(row),
      }
    },
    listOverrides: ({ tenant, contentId }) => overrides.all(tenant, contentId, -1).map(toOverride),
    findDataKeys: (tenant) => dataKeys.all(tenant).map(toDataKey),
    sampleDataKeys: () => sample.all().map(toDataKey),
  }
}
