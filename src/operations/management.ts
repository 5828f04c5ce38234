import type { ContentKeys } from '../keys/content/content-key.ts'
import type { RetentionOf } from '../keys/content/lifetime.ts'
import type { DataKeys } from '../keys/crypto/data-keys.ts'
import type { RandomBytes } from '../keys/crypto/seal.ts'
import type { ContentRef, Tenant } from '../keys/ports/content-ref.ts'
import type { ContentStore, LifeStore } from '../keys/ports/content-store.ts'
import type { LedgerStore } from '../keys/ports/ledger-store.ts'
import type { Actor, AuditEntry, AuditLog } from './ports/audit.ts'
import type { Emit } from './ports/events.ts'
import type { ManageStore } from './ports/store.ts'

/** Everything that operations on stored keys need; the same for HTTP and the command line. */
export interface Management {
  readonly store: ContentStore & LedgerStore & LifeStore & ManageStore
  readonly dataKeys: DataKeys
  readonly contentKeys: ContentKeys
  readonly retention: RetentionOf
  /** How often a content changes its keys, where the configuration says so, in milliseconds. */
  readonly rotation?: ((ref: ContentRef) => number | undefined) | undefined
  readonly audit: AuditLog
  readonly emit: Emit
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
}

/** The operator of an operation: a tenant, and a name for the audit log. */
export interface Operator {
  readonly tenant: Tenant
  readonly actor: Actor
  readonly requestId: string
}

/** An audit entry without its operator and its outcome. */
export type AuditedOperation = Omit<AuditEntry, 'outcome' | 'tenant' | 'actor' | 'requestId' | 'code'>
