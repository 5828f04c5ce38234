import { sealGeneration } from '../../../keys/crypto/seal.ts'
import type { Tenant } from '../../../keys/ports/content-ref.ts'
import {
  AUDIT_TENANT,
  type AuditHead,
  type AuditHeadStore,
  type IdempotencyStore,
  type IdempotentWrite,
} from '../../../operations/ports/store.ts'

/** Writes with an idempotency key, and the heads of audit chains, in memory. */
export function memoryRecordStore(): IdempotencyStore &
  AuditHeadStore & {
    /** How many heads need a data key. */
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
