import type { ClientStore } from '../../../auth/clients/client.ts'
import { contentGone } from '../../../keys/content/errors.ts'
import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { Tenant } from '../../../keys/ports/content-ref.ts'
import {
  AUDIT_TENANT,
  type AuditHead,
  type AuditHeadStore,
  type ContentCatalogue,
  type ContentSummary,
  type DocumentStore,
  type IdempotencyStore,
  type IdempotentWrite,
} from '../../../operations/ports/store.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'
import { COUNTED_OVERRIDES, pageOf, rowsToRead } from '../rows.ts'
import { byBytes, type MemoryContent, type MemoryContents } from './contents.ts'

/** Writes with an idempotency key, and the heads of audit chains, in memory. */
export function memoryRecordStore(): IdempotencyStore &
  AuditHeadStore & {
    /** The number of audit heads that need a data key. */
    readonly headsSealedBy: (tenant: Tenant, generation: number) => number
  } {
  const writes = new Map<string, IdempotentWrite>()
  const heads = new Map<string, AuditHead>()
  return {
    async beginWrite(write, notBefore) {
      const standing = writes.get(idOf(write))
      if (standing !== undefined && standing.at >= notBefore) return standing
      writes.set(idOf(write), { ...write })
      return undefined
    },

    async endWrite(write) {
      const standing = writes.get(idOf(write))
      if (standing?.at === write.at && standing.requestHash === write.requestHash) writes.set(idOf(write), { ...write })
    },

    async forgetWrite(write) {
      writes.delete(idOf(write))
    },

    async pruneWrites(before, limit) {
      const old = [...writes].filter(([, { at }]) => at < before).slice(0, limit)
      for (const [id] of old) writes.delete(id)
      return old.length
    },

    async putAuditHead({ chain, seq, sealed }) {
      if ((heads.get(chain)?.seq ?? 0) <= seq) heads.set(chain, { chain, seq, sealed: new Uint8Array(sealed) })
    },

    headsSealedBy(tenant, generation) {
      const needing = [...heads.values()].filter(({ sealed }) => sealGeneration(sealed) === generation)
      return tenant === AUDIT_TENANT ? needing.length : 0
    },

    async listAuditHeads() {
      return [...heads.values()].sort((a, b) => Buffer.compare(Buffer.from(a.chain), Buffer.from(b.chain)))
    },
  }
}

function idOf({ tenant, client, key }: Pick<IdempotentWrite, 'tenant' | 'client' | 'key'>): string {
  return JSON.stringify([tenant, client, key])
}

/** Clients in memory. */
export function memoryClientStore(): ClientStore & {
  /** The number of clients that need a data key. */
  readonly clientsSealedBy: (tenant: Tenant, generation: number) => number
} {
  const clients = new Map<string, string>()
  const all = () => [...clients.keys()].sort().map((name) => fromClientJson(clients.get(name)))
  return {
    listClients: async () => all(),
    async putClient(registered) {
      clients.set(registered.client.name, toClientJson(registered))
    },
    removeClient: async (name) => clients.delete(name),
    clientsSealedBy: (tenant, generation) =>
      all()
        .flatMap(dataKeysOf)
        .filter((one) => one.tenant === tenant && one.generation === generation).length,
  }
}

/** Documents and the catalogue of contents, in memory. */
export function memoryManageStore(
  contents: MemoryContents,
): Omit<DocumentStore, 'putDocumentWithKeys'> & ContentCatalogue {
  return {
    findDocument: async (ref) => contents.find(ref)?.document,

    async putDocument(ref, { xml, revision, at }, before) {
      const standing = contents.find(ref)
      if (standing?.tombstone !== undefined) throw contentGone(ref)
      if (standing?.document?.revision !== before) return false
      contents.get(ref).document = { xml, revision, at }
      return true
    },

    async searchContents(query) {
      const { tenant, after, startsWith = '' } = query
      const rows = contents
        .all()
        .filter(({ ref }) => ref.tenant === tenant && byBytes(ref.contentId, startsWith) >= 0)
        .filter(({ ref }) => after === undefined || byBytes(ref.contentId, after) > 0)
        .sort((a, b) => byBytes(a.ref.contentId, b.ref.contentId))
        .slice(0, rowsToRead(query))
      const { contentIds, next } = pageOf(
        rows.map(({ ref }) => ref.contentId),
        query,
      )
      const found = contentIds.flatMap((contentId) => contents.find({ tenant, contentId }) ?? [])
      return { contents: found.map(summaryOf), next }
    },

    async findSummary(ref) {
      const content = contents.find(ref)
      return content && summaryOf(content)
    },
  }
}

function summaryOf({ ref, life, tombstone, sealedSecret, overrides, kidOverrides }: MemoryContent): ContentSummary {
  return {
    contentId: ref.contentId,
    ...life,
    tombstone,
    hasSecret: sealedSecret !== undefined,
    overrides: Math.min(overrides.size, COUNTED_OVERRIDES),
    kidOverrides: kidOverrides.size,
  }
}
