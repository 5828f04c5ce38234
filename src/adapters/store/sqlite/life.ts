import type { DatabaseSync } from 'node:sqlite'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import type { ContentStore, Expiry } from '../../../keys/ports/content-store.ts'
import { toText } from '../rows.ts'

/** The reads of a LifeStore on one connection. */
interface SqliteLifeReads {
  listExpired(before: number, after: Expiry | undefined, limit: number): readonly Expiry[]
}

/** The writes, which run inside a transaction of the writer thread, and the listings that can take long. */
export interface SqliteLifeWrites {
  putExpiry(expiries: Parameters<ContentStore['putExpiry']>[0]): void
  putHold(ref: ContentRef, hold: string | undefined): boolean
  destroyExpired(expired: readonly Expiry[], at: number, reason: string): readonly ContentRef[]
  listUnlimited(after: ContentRef | undefined, limit: number): readonly ContentRef[]
}

export function sqliteLifeReads(db: DatabaseSync): SqliteLifeReads {
  const expired = db.prepare(
    `SELECT tenant, content_id, expires_at FROM content
     WHERE expires_at IS NOT NULL AND hold IS NULL AND expires_at < ? AND (expires_at, tenant, content_id) > (?, ?, ?)
     ORDER BY expires_at, tenant, content_id LIMIT ?`,
  )
  return {
    listExpired(before, after, limit) {
      const { expiresAt, tenant, contentId } = after ?? { expiresAt: 0, tenant: '', contentId: '' }
      return expired.all(before, expiresAt, tenant, contentId, limit).map((row) => {
        return { tenant: toText(row.tenant), contentId: toText(row.content_id), expiresAt: Number(row.expires_at) }
      })
    },
  }
}

export function sqliteLifeWrites(db: DatabaseSync): SqliteLifeWrites {
  const ofContent = 'WHERE tenant = ? AND content_id = ? AND tombstone_at IS NULL'
  const putExpiry = db.prepare(`UPDATE content SET expires_at = ? ${ofContent}`)
  const putHold = db.prepare(`UPDATE content SET hold = ? ${ofContent}`)
  const destroy = db.prepare(
    `UPDATE content SET sealed_secret = NULL, expires_at = NULL, tombstone_at = ?, tombstone_reason = ?,
       tombstone_cause = 'expired' ${ofContent} AND expires_at = ? AND hold IS NULL`,
  )
  const unlimited = db.prepare(
    `SELECT tenant, content_id FROM content WHERE (tenant, content_id) > (?, ?)
       AND expires_at IS NULL AND hold IS NULL AND tombstone_at IS NULL ORDER BY tenant, content_id LIMIT ?`,
  )
  const removeParts = sqlitePartRemoval(db)

  return {
    putExpiry(expiries) {
      for (const { tenant, contentId, expiresAt } of expiries) putExpiry.run(expiresAt ?? null, tenant, contentId)
    },
    putHold: ({ tenant, contentId }, hold) => putHold.run(hold ?? null, tenant, contentId).changes > 0,
    destroyExpired(expired, at, reason) {
      return expired.flatMap(({ tenant, contentId, expiresAt }) => {
        if (destroy.run(at, reason, tenant, contentId, expiresAt).changes === 0) return []
        removeParts({ tenant, contentId })
        return [{ tenant, contentId }]
      })
    },
    listUnlimited(after, limit) {
      // Two empty names sort before every other pair, because a tenant has a name.
      const { tenant, contentId } = after ?? { tenant: '', contentId: '' }
      return unlimited.all(tenant, contentId, limit).map((row) => {
        return { tenant: toText(row.tenant), contentId: toText(row.content_id) }
      })
    },
  }
}

/** Removes everything of a content except its own row. */
export function sqlitePartRemoval(db: DatabaseSync): (ref: ContentRef) => void {
  const removals = ['override', 'kid_override', 'document', 'issued_kid'].map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE tenant = ? AND content_id = ?`),
  )
  return ({ tenant, contentId }) => {
    for (const removal of removals) removal.run(tenant, contentId)
  }
}
