import type { DatabaseSync } from 'node:sqlite'
import type { ContentKeyClass, Kid } from '../cenc.ts'
import type {
  ContentRef,
  KidOverride,
  LedgerRecord,
  StoredContent,
  StoredDataKey,
  StoredOverride,
  Tombstone,
} from '../keys/store.ts'
import { contentGone, dataKeyRemoved } from './content.ts'
import { toMatch, toPsshJson } from './rows.ts'
import { type SqliteClientWrites, sqliteClientWrites } from './sqlite-clients.ts'
import { type LedgerConflict, sqliteLedgerWrites } from './sqlite-ledger.ts'
import { removedDataKeys, type SqliteMaintenanceWrites, sqliteMaintenanceWrites } from './sqlite-maintenance.ts'
import { sqliteReads } from './sqlite-reads.ts'

/** Every write, as it runs inside a transaction of the writer's thread. */
export interface SqliteWrites extends SqliteMaintenanceWrites, SqliteClientWrites {
  putSecretIfAbsent(ref: ContentRef, sealedSecret: Uint8Array, kids: readonly Kid[]): StoredContent
  putOverridesIfAbsent(ref: ContentRef, overrides: readonly StoredOverride[]): StoredContent
  replaceOverride(ref: ContentRef, override: StoredOverride): void
  removeOverride(ref: ContentRef, contentKeyClass: ContentKeyClass, kid: Kid): boolean
  putKidOverride(ref: ContentRef, rule: KidOverride): void
  removeKidOverride(ref: ContentRef, rule: Pick<KidOverride, 'intendedTrackType' | 'periodIndex'>): boolean
  putTombstone(ref: ContentRef, tombstone: Tombstone): void
  putDataKeyIfAbsent(dataKey: StoredDataKey): StoredDataKey
  record(records: readonly LedgerRecord[]): readonly LedgerConflict[]
  prune(lastAt: number, limit: number): number
}

export function sqliteWrites(db: DatabaseSync): SqliteWrites {
  const reads = sqliteReads(db)
  const ofContent = 'WHERE tenant = ? AND content_id = ?'
  const putSecret = db.prepare(
    `INSERT INTO content (tenant, content_id, sealed_secret) VALUES (?, ?, ?)
     ON CONFLICT (tenant, content_id) DO UPDATE SET sealed_secret = excluded.sealed_secret
     WHERE sealed_secret IS NULL AND tombstone_at IS NULL`,
  )
  const isGone = db.prepare(`SELECT 1 FROM content ${ofContent} AND tombstone_at IS NOT NULL`)
  const values = '(tenant, content_id, kid, class, sealed, pssh) VALUES (?, ?, ?, ?, ?, ?)'
  const putOverride = db.prepare(`INSERT INTO override ${values} ON CONFLICT DO NOTHING`)
  const replaceOverride = db.prepare(`INSERT OR REPLACE INTO override ${values}`)
  const removeOverride = db.prepare(`DELETE FROM override ${ofContent} AND kid = ? AND class = ?`)
  const putKidOverride = db.prepare(
    'INSERT OR REPLACE INTO kid_override (tenant, content_id, track_type, period_index, kid) VALUES (?, ?, ?, ?, ?)',
  )
  const removeKidOverride = db.prepare(`DELETE FROM kid_override ${ofContent} AND track_type = ? AND period_index = ?`)
  const putTombstone = db.prepare(
    `INSERT INTO content (tenant, content_id, tombstone_at, tombstone_reason) VALUES (?, ?, ?, ?)
     ON CONFLICT (tenant, content_id) DO UPDATE
     SET sealed_secret = NULL, tombstone_at = excluded.tombstone_at, tombstone_reason = excluded.tombstone_reason
     WHERE tombstone_at IS NULL`,
  )
  const removeOverrides = db.prepare(`DELETE FROM override ${ofContent}`)
  const removeKidOverrides = db.prepare(`DELETE FROM kid_override ${ofContent}`)
  const putDataKey = db.prepare(
    'INSERT INTO data_key (tenant, generation, wrapped) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  )

  const refuseGone = (ref: ContentRef): void => {
    if (isGone.get(ref.tenant, ref.contentId) !== undefined) throw contentGone(ref)
  }
  const clients = sqliteClientWrites(db)
  const isRemoved = removedDataKeys(db)
  const refuseRemoved = ({ tenant }: Pick<ContentRef, 'tenant'>, sealed: Uint8Array): void => {
    if (isRemoved(tenant, sealed)) throw dataKeyRemoved(tenant)
  }
  const standing = (ref: ContentRef, kids: readonly Kid[]): StoredContent => {
    const content = reads.findContent(ref, kids)
    if (content === undefined) throw new Error('a row just written is gone')
    return content
  }
  const overrideValues = ({ tenant, contentId }: ContentRef, override: StoredOverride) => {
    const { kid, contentKeyClass, sealed, pssh } = override
    return [tenant, contentId, kid, contentKeyClass, sealed, toPsshJson(pssh)] as const
  }

  return {
    ...sqliteLedgerWrites(db),
    ...clients,

    putClient(registered) {
      const { client, credentials } = registered
      for (const one of credentials) if ('sealed' in one) refuseRemoved(client, one.sealed)
      clients.putClient(registered)
    },
    ...sqliteMaintenanceWrites(db),

    putSecretIfAbsent(ref, sealedSecret, kids) {
      refuseRemoved(ref, sealedSecret)
      putSecret.run(ref.tenant, ref.contentId, sealedSecret)
      return standing(ref, kids)
    },
    putOverridesIfAbsent(ref, overrides) {
      const kids = overrides.map(({ kid }) => kid)
      if (isGone.get(ref.tenant, ref.contentId) !== undefined) return standing(ref, kids)
      for (const { sealed } of overrides) refuseRemoved(ref, sealed)
      for (const override of overrides) putOverride.run(...overrideValues(ref, override))
      return standing(ref, kids)
    },
    replaceOverride(ref, override) {
      refuseGone(ref)
      refuseRemoved(ref, override.sealed)
      replaceOverride.run(...overrideValues(ref, override))
    },
    removeOverride({ tenant, contentId }, contentKeyClass, kid) {
      return removeOverride.run(tenant, contentId, kid, contentKeyClass).changes > 0
    },
    putKidOverride(ref, { intendedTrackType, periodIndex, kid }) {
      refuseGone(ref)
      putKidOverride.run(ref.tenant, ref.contentId, toMatch(intendedTrackType), toMatch(periodIndex), kid)
    },
    removeKidOverride({ tenant, contentId }, { intendedTrackType, periodIndex }) {
      return removeKidOverride.run(tenant, contentId, toMatch(intendedTrackType), toMatch(periodIndex)).changes > 0
    },
    putTombstone({ tenant, contentId }, { at, reason }) {
      putTombstone.run(tenant, contentId, at, reason)
      removeOverrides.run(tenant, contentId)
      removeKidOverrides.run(tenant, contentId)
    },
    putDataKeyIfAbsent(dataKey) {
      putDataKey.run(dataKey.tenant, dataKey.generation, dataKey.wrapped)
      const found = reads.findDataKeys(dataKey.tenant).find(({ generation }) => generation === dataKey.generation)
      if (found === undefined) throw new Error('a row just written is gone')
      return found
    },
  }
}
