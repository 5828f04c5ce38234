import type { ClientStore } from '../../../auth/clients/client.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import { contentGone } from '../../../keys/content/errors.ts'
import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import {
  AUDIT_TENANT,
  type ContentSummary,
  type DocumentStore,
  type IdempotentWrite,
  type ManageStore,
} from '../../../operations/ports/store.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'
import {
  COUNTED_OVERRIDES,
  pageOf,
  type Row,
  rowsToRead,
  toAuditHead,
  toDocument,
  toIdempotentWrite,
  toSummary,
  toText,
} from '../rows.ts'
import type { PostgresPool } from './pool.ts'
import { CONTENT_COLUMNS, escapeName, namesOf, toNamedLife, toNamedTombstone, unescapeName } from './reads.ts'
import { PUT_ROW, putOverridesIn, unlessRemoved } from './writes.ts'

const OF_CONTENT = 'WHERE tenant = $1 AND content_id = $2'
const DOCUMENT = {
  name: 'keyspring-find-document',
  text: `SELECT xml, revision, at FROM keyspring_document ${OF_CONTENT}`,
}
const TAKE_LIVING = {
  name: 'keyspring-take-living',
  text: `SELECT 1 FROM keyspring_content ${OF_CONTENT} AND tombstone_at IS NULL FOR SHARE`,
}
const PUT_DOCUMENT = {
  name: 'keyspring-put-document',
  text: `INSERT INTO keyspring_document (tenant, content_id, xml, revision, at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (tenant, content_id) DO NOTHING`,
}
const REPLACE_DOCUMENT = {
  name: 'keyspring-replace-document',
  text: `UPDATE keyspring_document SET xml = $3, revision = $4, at = $5 ${OF_CONTENT} AND revision = $6`,
}
/**
 * Names are ordered by their bytes, whatever the collation of the database. All but those with U+0000 are stored
 * unchanged.
 */
const NAMES = {
  name: 'keyspring-search-contents',
  text: `SELECT content_id FROM keyspring_content WHERE tenant = $1
      AND content_id COLLATE "C" >= $2 AND content_id COLLATE "C" > $3 ORDER BY content_id COLLATE "C" LIMIT $4`,
}
const SUMMARIES = {
  name: 'keyspring-find-summaries',
  text: `SELECT one.content_id, ${CONTENT_COLUMNS},
      (SELECT count(*) FROM (SELECT 1 FROM keyspring_override AS other
        WHERE other.tenant = one.tenant AND other.content_id = one.content_id LIMIT ${COUNTED_OVERRIDES}) AS counted) AS overrides,
      (SELECT count(*) FROM keyspring_kid_override AS rule
        WHERE rule.tenant = one.tenant AND rule.content_id = one.content_id) AS rules
    FROM keyspring_content AS one WHERE one.tenant = $1 AND one.content_id = ANY($2::TEXT[])
    ORDER BY one.content_id COLLATE "C"`,
}
const OF_WRITE = 'WHERE tenant = $1 AND client = $2 AND key = $3'
const BEGIN = {
  name: 'keyspring-begin-write',
  text: `INSERT INTO keyspring_idempotent_write AS one (tenant, client, key, request_hash, at, status, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (tenant, client, key) DO UPDATE SET request_hash = excluded.request_hash, at = excluded.at,
      status = excluded.status, body = excluded.body
    WHERE one.at < $8`,
}
const STANDING = {
  name: 'keyspring-find-write',
  text: `SELECT tenant, client, key, request_hash, at, status, body FROM keyspring_idempotent_write ${OF_WRITE}`,
}
const END = {
  name: 'keyspring-end-write',
  text: `UPDATE keyspring_idempotent_write SET status = $6, body = $7 ${OF_WRITE} AND request_hash = $4 AND at = $5`,
}
const FORGET = { name: 'keyspring-forget-write', text: `DELETE FROM keyspring_idempotent_write ${OF_WRITE}` }
const PRUNE = {
  name: 'keyspring-prune-writes',
  text: `DELETE FROM keyspring_idempotent_write WHERE (tenant, client, key) IN
    (SELECT tenant, client, key FROM keyspring_idempotent_write WHERE at < $1 ORDER BY at LIMIT $2)`,
}
const PUT_HEAD = {
  name: 'keyspring-put-audit-head',
  text: `INSERT INTO keyspring_audit_head AS one (chain, seq, sealed, tenant, generation) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, sealed = excluded.sealed, generation = excluded.generation
    WHERE one.seq <= excluded.seq`,
}
const HEADS = {
  name: 'keyspring-list-audit-heads',
  text: 'SELECT chain, seq, sealed FROM keyspring_audit_head ORDER BY chain COLLATE "C"',
}
/** Another node can prune a started write between two statements. */
const MAX_TRIES = 5

/** The management part of the store in PostgreSQL. */
export function postgresManage(pool: PostgresPool): ManageStore {
  const summaries = async (tenant: string, contentIds: readonly string[]): Promise<readonly ContentSummary[]> => {
    if (contentIds.length === 0) return []
    const { rows } = await pool.run(SUMMARIES, [escapeName(tenant), contentIds.map(escapeName)])
    return rows.map(toNamedSummary)
  }

  return {
    ...postgresDocuments(pool),

    async searchContents(query) {
      const { tenant, startsWith = '', after = '' } = query
      const names = [tenant, startsWith, after].map(escapeName)
      const { rows } = await pool.run(NAMES, [...names, rowsToRead(query)])
      const { contentIds, next } = pageOf(
        rows.map((row) => unescapeName(toText(row.content_id))),
        query,
      )
      return { contents: await summaries(tenant, contentIds), next }
    },
    findSummary: async ({ tenant, contentId }) => (await summaries(tenant, [contentId]))[0],

    async beginWrite(write, notBefore) {
      const { requestHash, at, reply } = write
      const values = [...writeOf(write), requestHash, at, reply?.status ?? null, reply?.body ?? null, notBefore]
      for (let tries = 1; ; tries++) {
        if ((await pool.run(BEGIN, values, false)).count > 0) return undefined
        const [row] = (await pool.run(STANDING, writeOf(write))).rows
        if (row !== undefined) return toNamedWrite(row)
        if (tries === MAX_TRIES) throw new Error('a write with an idempotency key is begun and forgotten all the time')
      }
    },
    async endWrite(write) {
      const { requestHash, at, reply } = write
      await pool.run(END, [...writeOf(write), requestHash, at, reply?.status ?? null, reply?.body ?? null])
    },
    async forgetWrite(write) {
      await pool.run(FORGET, writeOf(write))
    },
    pruneWrites: async (before, limit) => (await pool.run(PRUNE, [before, limit], false)).count,

    async putAuditHead({ chain, seq, sealed }) {
      const seal = [Buffer.from(sealed), escapeName(AUDIT_TENANT), sealGeneration(sealed) ?? null]
      await unlessRemoved({ tenant: AUDIT_TENANT }, pool.run(PUT_HEAD, [escapeName(chain), seq, ...seal]))
    },
    listAuditHeads: async () =>
      (await pool.run(HEADS, [])).rows.map((row) => {
        return toAuditHead({ ...row, chain: unescapeName(toText(row.chain)) })
      }),
  }
}

function postgresDocuments(pool: PostgresPool): DocumentStore {
  return {
    async findDocument(ref: ContentRef) {
      const [row] = (await pool.run(DOCUMENT, namesOf(ref))).rows
      return row && toDocument(row)
    },

    /** The content row is locked first, so that no destruction comes between. */
    putDocument(ref, { xml, revision, at }, before) {
      return pool.transaction(async (run) => {
        await run(PUT_ROW, namesOf(ref))
        if ((await run(TAKE_LIVING, namesOf(ref))).rows.length === 0) throw contentGone(ref)
        const values = [...namesOf(ref), xml, revision, at]
        const put = before === undefined ? run(PUT_DOCUMENT, values) : run(REPLACE_DOCUMENT, [...values, before])
        return (await put).count > 0
      })
    },

    async putDocumentWithKeys(ref, { xml, revision, at }, before, keys) {
      const put = pool.transaction(async (run) => {
        await run(PUT_ROW, namesOf(ref))
        if ((await run(TAKE_LIVING, namesOf(ref))).rows.length === 0) throw contentGone(ref)
        const values = [...namesOf(ref), xml, revision, at]
        const document = before === undefined ? run(PUT_DOCUMENT, values) : run(REPLACE_DOCUMENT, [...values, before])
        if ((await document).count === 0) throw new RolledBack('changed')
        if ((await putOverridesIn(run, ref, keys)) < keys.overrides.length) throw new RolledBack('taken')
        return 'stored' as const
      })
      return unlessRemoved(ref, put).catch((error: unknown) => {
        if (error instanceof RolledBack) return error.conflict
        throw error
      })
    },
  }
}

/** Rolls a transaction back. */
class RolledBack extends KeyProviderError {
  readonly conflict: 'changed' | 'taken'

  constructor(conflict: 'changed' | 'taken') {
    super('ERR_STORE_CONFLICT', `nothing was stored: the document or its keys are ${conflict}`)
    this.conflict = conflict
  }
}

function writeOf({ tenant, client, key }: Pick<IdempotentWrite, 'tenant' | 'client' | 'key'>): readonly string[] {
  return [tenant, client, key].map(escapeName)
}

function toNamedWrite(row: Row): IdempotentWrite {
  const names = { tenant: row.tenant, client: row.client, key: row.key }
  const unescaped = Object.entries(names).map(([column, name]) => [column, unescapeName(toText(name))])
  return toIdempotentWrite({ ...row, ...Object.fromEntries(unescaped) })
}

function toNamedSummary(row: Row): ContentSummary {
  return {
    ...toSummary(row),
    ...toNamedLife(row),
    contentId: unescapeName(toText(row.content_id)),
    tombstone: toNamedTombstone(row),
  }
}

const LIST = { name: 'keyspring-list-clients', text: 'SELECT registered FROM keyspring_client ORDER BY name' }
const PUT = {
  name: 'keyspring-put-client',
  text: `INSERT INTO keyspring_client (name, registered) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET registered = excluded.registered`,
}
const CLEAR_SEALS = { name: 'keyspring-clear-client-seals', text: 'DELETE FROM keyspring_client_seal WHERE name = $1' }
const PUT_SEAL = {
  name: 'keyspring-put-client-seal',
  text: 'INSERT INTO keyspring_client_seal (name, tenant, generation) VALUES ($1, $2, $3)',
}
const REMOVE = { name: 'keyspring-remove-client', text: 'DELETE FROM keyspring_client WHERE name = $1' }

/** Clients in PostgreSQL. The foreign key of each seal keeps the data key that a credential needs. */
export function postgresClients(pool: PostgresPool): ClientStore {
  return {
    listClients: async () => (await pool.run(LIST, [])).rows.map((row) => fromClientJson(row.registered)),
    putClient: (registered) =>
      unlessRemoved(
        registered.client,
        pool.transaction(async (run) => {
          const name = escapeName(registered.client.name)
          await run(PUT, [name, toClientJson(registered)])
          await run(CLEAR_SEALS, [name])
          for (const { tenant, generation } of dataKeysOf(registered)) {
            await run(PUT_SEAL, [name, escapeName(tenant), generation])
          }
        }),
      ),
    removeClient: async (name) => (await pool.run(REMOVE, [escapeName(name)])).count > 0,
  }
}
