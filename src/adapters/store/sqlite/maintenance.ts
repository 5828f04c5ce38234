import { backup, DatabaseSync } from 'node:sqlite'
import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { ContentRef, Tenant } from '../../../keys/ports/content-ref.ts'
import type { ContentLife } from '../../../keys/ports/content-store.ts'
import type { StoredDataKey } from '../../../keys/ports/data-key-store.ts'
import type { Reseal, SealCount } from '../../../keys/ports/maintenance-store.ts'
import { AUDIT_TENANT } from '../../../operations/ports/store.ts'
import { toDataKey, toText } from '../rows.ts'
import { storeUnavailable, toEngineError } from './error.ts'

/** The reads of StoreMaintenance on one connection. */
interface SqliteMaintenanceReads {
  listContents(after: ContentRef | undefined, limit: number): readonly ContentRef[]
  listDataKeys(): readonly StoredDataKey[]
}

/** The writes, which run inside a transaction of the writer thread, and the counts, which take long. */
export interface SqliteMaintenanceWrites {
  rewrapDataKey(dataKey: StoredDataKey, before: Uint8Array): boolean
  removeDataKey(tenant: Tenant, generation: number): boolean
  reseal(values: readonly Reseal[]): number
  countSeals(): readonly SealCount[]
  putLife(ref: ContentRef, life: ContentLife): void
}

const DATA_KEYS = 'SELECT tenant, generation, wrapped FROM data_key ORDER BY tenant, generation'

export function sqliteMaintenanceReads(db: DatabaseSync): SqliteMaintenanceReads {
  const contents = db.prepare(
    `SELECT tenant, content_id FROM content WHERE (tenant, content_id) > (:tenant, :contentId)
     ORDER BY tenant, content_id LIMIT :limit`,
  )
  const dataKeys = db.prepare(DATA_KEYS)
  return {
    listContents(after, limit) {
      // Two empty names sort before every other pair, because a tenant has a name.
      const { tenant, contentId } = after ?? { tenant: '', contentId: '' }
      return contents.all({ tenant, contentId, limit }).map((row) => {
        return { tenant: toText(row.tenant), contentId: toText(row.content_id) }
      })
    },
    listDataKeys: () => dataKeys.all().map(toDataKey),
  }
}

export function sqliteMaintenanceWrites(db: DatabaseSync): SqliteMaintenanceWrites {
  const rewrap = db.prepare('UPDATE data_key SET wrapped = ? WHERE tenant = ? AND generation = ? AND wrapped = ?')
  const remove = db.prepare('DELETE FROM data_key WHERE tenant = ? AND generation = ?')
  const putRemoved = db.prepare(
    'INSERT INTO removed_data_key (tenant, generation) VALUES (?, ?) ON CONFLICT DO NOTHING',
  )
  const resealSecret = db.prepare(
    'UPDATE content SET sealed_secret = ? WHERE tenant = ? AND content_id = ? AND sealed_secret = ?',
  )
  const resealOverride = db.prepare(
    `UPDATE override SET sealed = ? WHERE tenant = ? AND content_id = ? AND kid = ? AND class = ? AND sealed = ?`,
  )
  const putLife = db.prepare(
    'UPDATE content SET created_at = ?, expires_at = ?, hold = ?, epoch = ? WHERE tenant = ? AND content_id = ?',
  )
  const dataKeys = db.prepare(DATA_KEYS)
  // The first byte of a seal is its version, the next four bytes are the generation.
  const isOf = (column: string, tenant = 'tenant'): string =>
    `${tenant} = :tenant AND substr(${column}, 1, 5) = :head AND length(${column}) >= 33`
  const count = db.prepare(
    `SELECT (SELECT count(*) FROM content WHERE ${isOf('sealed_secret')})
      + (SELECT count(*) FROM override WHERE ${isOf('sealed')})
      + (SELECT count(*) FROM audit_head WHERE ${isOf('sealed', `'${AUDIT_TENANT}'`)})
      + (SELECT count(*) FROM client_seal WHERE tenant = :tenant AND generation = :generation) AS rows`,
  )
  const rowsOf = (tenant: Tenant, generation: number): number =>
    Number(count.get({ tenant, generation, head: headOf(generation) })?.rows)

  return {
    rewrapDataKey: ({ tenant, generation, wrapped }, before) =>
      rewrap.run(wrapped, tenant, generation, before).changes > 0,
    removeDataKey(tenant, generation) {
      if (rowsOf(tenant, generation) > 0 || remove.run(tenant, generation).changes === 0) return false
      putRemoved.run(tenant, generation)
      return true
    },
    reseal(values) {
      let resealed = 0
      for (const { tenant, contentId, override, before, after } of values) {
        const { changes } =
          override === undefined
            ? resealSecret.run(after, tenant, contentId, before)
            : resealOverride.run(after, tenant, contentId, override.kid, override.contentKeyClass, before)
        resealed += Number(changes)
      }
      return resealed
    },
    putLife({ tenant, contentId }, { createdAt, expiresAt, hold, epoch }) {
      putLife.run(createdAt ?? null, expiresAt ?? null, hold ?? null, epoch, tenant, contentId)
    },
    countSeals: () =>
      dataKeys.all().map((row) => {
        const { tenant, generation } = toDataKey(row)
        return { tenant, generation, rows: rowsOf(tenant, generation) }
      }),
  }
}

/** Throws for a value that was sealed with a data key removed meanwhile. */
export function removedDataKeys(db: DatabaseSync): (tenant: Tenant, sealed: Uint8Array) => boolean {
  const find = db.prepare('SELECT 1 FROM removed_data_key WHERE tenant = ? AND generation = ?')
  return (tenant, sealed) => {
    const generation = sealGeneration(sealed)
    return generation !== undefined && find.get(tenant, generation) !== undefined
  }
}

function headOf(generation: number): Uint8Array {
  const head = Buffer.alloc(5)
  head.writeUInt8(1)
  head.writeUInt32BE(generation, 1)
  return head
}

/** Copies a SQLite store as of one moment, while servers keep writing to it. */
export async function backupSqlite(file: string, target: string): Promise<void> {
  try {
    const db = new DatabaseSync(file, { readOnly: true })
    try {
      await backup(db, target)
    } finally {
      db.close()
    }
    // Complete in one file, for archives.
    const copy = new DatabaseSync(target)
    copy.exec('PRAGMA journal_mode = DELETE')
    copy.close()
  } catch (error) {
    throw storeUnavailable(file, toEngineError(error), error)
  }
}
