import type { DatabaseSync } from 'node:sqlite'
import type { RegisteredClient } from '../../../auth/clients/client.ts'
import { contentGone } from '../../../keys/content/errors.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import {
  AUDIT_TENANT,
  type AuditHead,
  type ContentPage,
  type ContentQuery,
  type ContentSummary,
  type IdempotentWrite,
  type StoredDocument,
} from '../../../operations/ports/store.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'
import {
  COUNTED_OVERRIDES,
  dataKeyRemoved,
  pageOf,
  rowsToRead,
  toAuditHead,
  toDocument,
  toIdempotentWrite,
  toSummary,
  toText,
} from '../rows.ts'
import { removedDataKeys } from './maintenance.ts'
import { CONTENT_COLUMNS } from './reads.ts'

/** The reads of a ManageStore on one connection. Each reads a bounded number of rows. */
interface SqliteManageReads {
  findDocument(ref: ContentRef): StoredDocument | undefined
  searchContents(query: ContentQuery): ContentPage
  findSummary(ref: ContentRef): ContentSummary | undefined
  listAuditHeads(): readonly AuditHead[]
}

/** The writes, which run inside a transaction of the writer thread. */
export interface SqliteManageWrites {
  putDocument(ref: ContentRef, document: StoredDocument, before: string | undefined): boolean
  beginWrite(write: IdempotentWrite, notBefore: number): IdempotentWrite | undefined
  endWrite(write: IdempotentWrite): void
  forgetWrite(write: Pick<IdempotentWrite, 'tenant' | 'client' | 'key'>): void
  pruneWrites(before: number, limit: number): number
  putAuditHead(head: AuditHead): void
}

const OF_CONTENT = 'WHERE tenant = ? AND content_id = ?'
const OF_WRITE = 'WHERE tenant = ? AND client = ? AND key = ?'

export function sqliteManageReads(db: DatabaseSync): SqliteManageReads {
  const document = db.prepare(`SELECT xml, revision, at FROM document ${OF_CONTENT}`)
  // Text compares by its UTF-8 bytes.
  const names = db.prepare(
    `SELECT content_id FROM content WHERE tenant = :tenant AND content_id >= :startsWith AND content_id > :after
     ORDER BY content_id LIMIT :limit`,
  )
  const summary = db.prepare(
    `SELECT content_id, ${CONTENT_COLUMNS},
       (SELECT count(*) FROM (SELECT 1 FROM override ${OF_CONTENT} LIMIT ${COUNTED_OVERRIDES})) AS overrides,
       (SELECT count(*) FROM kid_override ${OF_CONTENT}) AS rules
     FROM content ${OF_CONTENT}`,
  )
  const heads = db.prepare('SELECT chain, seq, sealed FROM audit_head ORDER BY chain')
  const findSummary = ({ tenant, contentId }: ContentRef): ContentSummary | undefined => {
    const row = summary.get(tenant, contentId, tenant, contentId, tenant, contentId)
    return row && toSummary(row)
  }

  return {
    findDocument({ tenant, contentId }) {
      const row = document.get(tenant, contentId)
      return row && toDocument(row)
    },
    searchContents(query) {
      const { tenant, startsWith = '', after = '' } = query
      const rows = names.all({ tenant, startsWith, after, limit: rowsToRead(query) })
      const { contentIds, next } = pageOf(
        rows.map((row) => toText(row.content_id)),
        query,
      )
      return { contents: contentIds.flatMap((contentId) => findSummary({ tenant, contentId }) ?? []), next }
    },
    findSummary,
    listAuditHeads: () => heads.all().map(toAuditHead),
  }
}

export function sqliteManageWrites(db: DatabaseSync): SqliteManageWrites {
  const isGone = db.prepare(`SELECT 1 FROM content ${OF_CONTENT} AND tombstone_at IS NOT NULL`)
  const putRow = db.prepare('INSERT INTO content (tenant, content_id) VALUES (?, ?) ON CONFLICT DO NOTHING')
  const revision = db.prepare(`SELECT revision FROM document ${OF_CONTENT}`)
  const putDocument = db.prepare(
    'INSERT OR REPLACE INTO document (tenant, content_id, xml, revision, at) VALUES (?, ?, ?, ?, ?)',
  )
  const standing = db.prepare(`SELECT * FROM idempotent_write ${OF_WRITE} AND at >= ?`)
  const begin = db.prepare(
    `INSERT OR REPLACE INTO idempotent_write (tenant, client, key, request_hash, at, status, body)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  )
  const end = db.prepare(`UPDATE idempotent_write SET status = ?, body = ? ${OF_WRITE} AND request_hash = ? AND at = ?`)
  const forget = db.prepare(`DELETE FROM idempotent_write ${OF_WRITE}`)
  const prune = db.prepare(
    `DELETE FROM idempotent_write WHERE rowid IN
     (SELECT rowid FROM idempotent_write WHERE at < ? ORDER BY at LIMIT ?)`,
  )
  const isRemoved = removedDataKeys(db)
  const putHead = db.prepare(
    `INSERT INTO audit_head (chain, seq, sealed) VALUES (?, ?, ?)
     ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, sealed = excluded.sealed WHERE seq <= excluded.seq`,
  )

  return {
    putDocument(ref, { xml, revision: next, at }, before) {
      const { tenant, contentId } = ref
      if (isGone.get(tenant, contentId) !== undefined) throw contentGone(ref)
      const row = revision.get(tenant, contentId)
      if ((row === undefined ? undefined : toText(row.revision)) !== before) return false
      putRow.run(tenant, contentId)
      putDocument.run(tenant, contentId, xml, next, at)
      return true
    },
    beginWrite({ tenant, client, key, requestHash, at, reply }, notBefore) {
      const row = standing.get(tenant, client, key, notBefore)
      if (row !== undefined) return toIdempotentWrite(row)
      begin.run(tenant, client, key, requestHash, at, reply?.status ?? null, reply?.body ?? null)
      return undefined
    },
    endWrite({ tenant, client, key, requestHash, at, reply }) {
      end.run(reply?.status ?? null, reply?.body ?? null, tenant, client, key, requestHash, at)
    },
    forgetWrite({ tenant, client, key }) {
      forget.run(tenant, client, key)
    },
    pruneWrites: (before, limit) => Number(prune.run(before, limit).changes),
    putAuditHead({ chain, seq, sealed }) {
      if (isRemoved(AUDIT_TENANT, sealed)) throw dataKeyRemoved(AUDIT_TENANT)
      putHead.run(chain, seq, sealed)
    },
  }
}

/** The reads of a ClientStore on one connection. */
interface SqliteClientReads {
  listClients(): readonly RegisteredClient[]
}

/** The writes, which run inside a transaction of the writer thread. */
export interface SqliteClientWrites {
  putClient(registered: RegisteredClient): void
  removeClient(name: string): boolean
}

export function sqliteClientReads(db: DatabaseSync): SqliteClientReads {
  const list = db.prepare('SELECT registered FROM client ORDER BY name')
  return { listClients: () => list.all().map((row) => fromClientJson(row.registered)) }
}

export function sqliteClientWrites(db: DatabaseSync): SqliteClientWrites {
  const put = db.prepare('INSERT OR REPLACE INTO client (name, registered) VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM client WHERE name = ?')
  const putSeal = db.prepare('INSERT INTO client_seal (name, tenant, generation) VALUES (?, ?, ?)')
  const removeSeals = db.prepare('DELETE FROM client_seal WHERE name = ?')
  return {
    putClient(registered) {
      const { name } = registered.client
      removeSeals.run(name)
      put.run(name, toClientJson(registered))
      for (const { tenant, generation } of dataKeysOf(registered)) putSeal.run(name, tenant, generation)
    },
    removeClient(name) {
      removeSeals.run(name)
      return remove.run(name).changes > 0
    },
  }
}
