import type { DatabaseSync } from 'node:sqlite'
import type { ContentKeyClass, Kid } from '../../../formats/cenc.ts'
import { contentGone, contentHeld } from '../../../keys/content/errors.ts'
import type { LedgerConflict } from '../../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type {
  Birth,
  KidOverride,
  OverrideCondition,
  StoredContent,
  StoredOverride,
  Tombstone,
} from '../../../keys/ports/content-store.ts'
import type { StoredDataKey } from '../../../keys/ports/data-key-store.ts'
import type { IssuedKid, LedgerRecord } from '../../../keys/ports/ledger-store.ts'
import type { DocumentOverrides, StoredDocument } from '../../../operations/ports/store.ts'
import { dataKeyRemoved, NOTHING, toMatch, toPsshJson, toText } from '../rows.ts'
import { sqliteLedgerWrites } from './ledger.ts'
import { type SqliteLifeWrites, sqliteLifeWrites, sqlitePartRemoval } from './life.ts'
import { removedDataKeys, type SqliteMaintenanceWrites, sqliteMaintenanceWrites } from './maintenance.ts'
import { type SqliteClientWrites, type SqliteManageWrites, sqliteClientWrites, sqliteManageWrites } from './manage.ts'
import { sqliteReads } from './reads.ts'

/** Every write, which runs inside a transaction of the writer thread. */
export interface SqliteWrites
  extends SqliteMaintenanceWrites,
    SqliteClientWrites,
    SqliteLifeWrites,
    SqliteManageWrites {
  putDocumentWithKeys(
    ref: ContentRef,
    document: StoredDocument,
    before: string | undefined,
    keys: DocumentOverrides,
  ): 'stored' | 'changed' | 'taken'
  putSecretIfAbsent(ref: ContentRef, sealedSecret: Uint8Array, kids: readonly Kid[], birth: Birth): StoredContent
  putOverridesIfAbsent(
    ref: ContentRef,
    overrides: readonly StoredOverride[],
    birth: Birth,
    condition?: OverrideCondition,
  ): StoredContent
  replaceOverride(ref: ContentRef, override: StoredOverride, birth: Birth): void
  removeOverride(ref: ContentRef, contentKeyClass: ContentKeyClass, kid: Kid): boolean
  putKidOverride(ref: ContentRef, rule: KidOverride): void
  removeKidOverride(ref: ContentRef, rule: Pick<KidOverride, 'intendedTrackType' | 'periodIndex'>): boolean
  putTombstone(ref: ContentRef, tombstone: Tombstone): void
  putDataKeyIfAbsent(dataKey: StoredDataKey): StoredDataKey
  record(records: readonly LedgerRecord[]): readonly LedgerConflict[]
  prune(now: number, limit: number): number
  putIssued(ref: ContentRef, issued: readonly IssuedKid[]): void
  putCompleteSince(at: number): void
  putNextSecret(
    ref: ContentRef,
    sealedSecret: Uint8Array,
    epoch: number,
    kids: readonly Kid[],
    birth: Birth,
  ): StoredContent
}

export function sqliteWrites(db: DatabaseSync): SqliteWrites {
  const reads = sqliteReads(db)
  const ofContent = 'WHERE tenant = ? AND content_id = ?'
  const putSecret = db.prepare(
    `INSERT INTO content (tenant, content_id, sealed_secret, created_at, expires_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (tenant, content_id) DO UPDATE SET sealed_secret = excluded.sealed_secret,
       created_at = coalesce(created_at, excluded.created_at),
       expires_at = CASE WHEN created_at IS NULL THEN excluded.expires_at ELSE expires_at END
     WHERE sealed_secret IS NULL AND tombstone_at IS NULL`,
  )
  const putNextSecret = db.prepare(
    `UPDATE content SET sealed_secret = ?, epoch = ?, created_at = ?, expires_at = ?,
       tombstone_at = NULL, tombstone_reason = NULL, tombstone_cause = NULL
     ${ofContent} AND tombstone_cause = 'expired' AND epoch = ?`,
  )
  const putBirth = db.prepare(
    `INSERT INTO content (tenant, content_id, created_at, expires_at) VALUES (?, ?, ?, ?)
     ON CONFLICT (tenant, content_id) DO UPDATE SET created_at = excluded.created_at, expires_at = excluded.expires_at
     WHERE created_at IS NULL AND sealed_secret IS NULL AND tombstone_at IS NULL`,
  )
  const putRow = db.prepare('INSERT INTO content (tenant, content_id) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const isGone = db.prepare(`SELECT 1 FROM content ${ofContent} AND tombstone_at IS NOT NULL`)
  const hasSecret = db.prepare(`SELECT 1 FROM content ${ofContent} AND sealed_secret IS NOT NULL`)
  const values = '(tenant, content_id, kid, class, sealed, pssh) VALUES (?, ?, ?, ?, ?, ?)'
  const putOverride = db.prepare(`INSERT INTO override ${values} ON CONFLICT DO NOTHING`)
  const replaceOverride = db.prepare(`INSERT OR REPLACE INTO override ${values}`)
  const removeOverride = db.prepare(`DELETE FROM override ${ofContent} AND kid = ? AND class = ?`)
  const putKidOverride = db.prepare(
    'INSERT OR REPLACE INTO kid_override (tenant, content_id, track_type, period_index, kid) VALUES (?, ?, ?, ?, ?)',
  )
  const removeKidOverride = db.prepare(`DELETE FROM kid_override ${ofContent} AND track_type = ? AND period_index = ?`)
  const hold = db.prepare(`SELECT hold FROM content ${ofContent} AND hold IS NOT NULL`)
  const putTombstone = db.prepare(
    `INSERT INTO content (tenant, content_id, tombstone_at, tombstone_reason, tombstone_cause) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (tenant, content_id) DO UPDATE SET sealed_secret = NULL, expires_at = NULL,
       tombstone_at = excluded.tombstone_at, tombstone_reason = excluded.tombstone_reason,
       tombstone_cause = excluded.tombstone_cause
     WHERE tombstone_at IS NULL OR (tombstone_cause = 'expired' AND excluded.tombstone_cause = 'deleted')`,
  )
  const removeParts = sqlitePartRemoval(db)
  const putDataKey = db.prepare(
    'INSERT INTO data_key (tenant, generation, wrapped) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  )

  const refuseGone = (ref: ContentRef): void => {
    if (isGone.get(ref.tenant, ref.contentId) !== undefined) throw contentGone(ref)
  }
  const clients = sqliteClientWrites(db)
  const manage = sqliteManageWrites(db)
  const revision = db.prepare(`SELECT revision FROM document ${ofContent}`)
  const isRemoved = removedDataKeys(db)
  const refuseRemoved = ({ tenant }: Pick<ContentRef, 'tenant'>, sealed: Uint8Array): void => {
    if (isRemoved(tenant, sealed)) throw dataKeyRemoved(tenant)
  }
  const standing = (ref: ContentRef, kids: readonly Kid[]): StoredContent => {
    const content = reads.findContent(ref, kids)
    if (content === undefined) throw new Error('a row just written is gone')
    return content
  }
  const bear = ({ tenant, contentId }: ContentRef, { at, expiresAt }: Birth): void => {
    putBirth.run(tenant, contentId, at, expiresAt ?? null)
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
    ...sqliteLifeWrites(db),
    ...manage,

    putSecretIfAbsent(ref, sealedSecret, kids, { at, expiresAt }) {
      refuseRemoved(ref, sealedSecret)
      putSecret.run(ref.tenant, ref.contentId, sealedSecret, at, expiresAt ?? null)
      return standing(ref, kids)
    },
    putNextSecret(ref, sealedSecret, epoch, kids, { at, expiresAt }) {
      refuseRemoved(ref, sealedSecret)
      putNextSecret.run(sealedSecret, epoch, at, expiresAt ?? null, ref.tenant, ref.contentId, epoch - 1)
      return reads.findContent(ref, kids) ?? NOTHING
    },
    putOverridesIfAbsent(ref, overrides, birth, { unlessSecret = false } = {}) {
      const kids = overrides.map(({ kid }) => kid)
      if (overrides.length === 0) return reads.findContent(ref, kids) ?? NOTHING
      if (isGone.get(ref.tenant, ref.contentId) !== undefined) return standing(ref, kids)
      if (unlessSecret && hasSecret.get(ref.tenant, ref.contentId) !== undefined) return standing(ref, kids)
      for (const { sealed } of overrides) refuseRemoved(ref, sealed)
      bear(ref, birth)
      for (const override of overrides) putOverride.run(...overrideValues(ref, override))
      return standing(ref, kids)
    },
    putDocumentWithKeys(ref, document, before, { overrides, birth, unlessSecret }) {
      refuseGone(ref)
      const row = revision.get(ref.tenant, ref.contentId)
      if ((row === undefined ? undefined : toText(row.revision)) !== before) return 'changed'
      const kids = overrides.map(({ kid }) => kid)
      const stored = reads.findContent(ref, kids)
      const taken = new Set(stored?.overrides.map(overrideId))
      if (overrides.some((override) => taken.has(overrideId(override)))) return 'taken'
      if (unlessSecret && stored?.sealedSecret !== undefined) return 'taken'
      for (const { sealed } of overrides) refuseRemoved(ref, sealed)
      bear(ref, birth)
      for (const override of overrides) putOverride.run(...overrideValues(ref, override))
      manage.putDocument(ref, document, before)
      return 'stored'
    },
    replaceOverride(ref, override, birth) {
      refuseGone(ref)
      refuseRemoved(ref, override.sealed)
      bear(ref, birth)
      replaceOverride.run(...overrideValues(ref, override))
    },
    removeOverride({ tenant, contentId }, contentKeyClass, kid) {
      return removeOverride.run(tenant, contentId, kid, contentKeyClass).changes > 0
    },
    putKidOverride(ref, { intendedTrackType, periodIndex, kid }) {
      refuseGone(ref)
      putRow.run(ref.tenant, ref.contentId)
      putKidOverride.run(ref.tenant, ref.contentId, toMatch(intendedTrackType), toMatch(periodIndex), kid)
    },
    removeKidOverride({ tenant, contentId }, { intendedTrackType, periodIndex }) {
      return removeKidOverride.run(tenant, contentId, toMatch(intendedTrackType), toMatch(periodIndex)).changes > 0
    },
    putTombstone(ref, { at, reason, cause }) {
      const held = hold.get(ref.tenant, ref.contentId)
      if (held !== undefined) throw contentHeld(ref, toText(held.hold))
      putTombstone.run(ref.tenant, ref.contentId, at, reason, cause)
      removeParts(ref)
    },
    putDataKeyIfAbsent(dataKey) {
      putDataKey.run(dataKey.tenant, dataKey.generation, dataKey.wrapped)
      const found = reads.findDataKeys(dataKey.tenant).find(({ generation }) => generation === dataKey.generation)
      if (found === undefined) throw new Error('a row just written is gone')
      return found
    },
  }
}

function overrideId({ contentKeyClass, kid }: Pick<StoredOverride, 'contentKeyClass' | 'kid'>): string {
  return `${contentKeyClass}:${kid}`
}
