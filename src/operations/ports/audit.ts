import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'

/** Who did something, and how that was proven. */
export interface Actor {
  /** The method of authentication, `anonymous`, `cli` or `server`. */
  readonly method: string
  /** The name of the client; for the command line the user of the system. */
  readonly id: string
  /** The address that the request came from. */
  readonly address?: string | undefined
}

/** What is recorded. To add one, add a line here and its row in docs/guides/audit.md. */
export const AUDIT_ACTIONS = [
  'key.issue',
  'key.import',
  'key.export',
  'key.resolve',
  'key.delete',
  'override.add',
  'override.remove',
  'content.delete',
  'content.expire',
  'content.hold',
  'content.release',
  'document.write',
  'audit.start',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** One record, without what the chain adds to it: number, time, node and hashes. Never a key, a token or a document. */
export interface AuditEntry {
  readonly action: AuditAction
  /** `begun` is written before the change or the answer, `ok`, `refused` or `failed` after. */
  readonly outcome: 'begun' | 'ok' | 'refused' | 'failed'
  readonly tenant: Tenant
  readonly actor: Actor
  readonly requestId: string
  readonly contentId?: string | undefined
  readonly kids?: readonly Kid[] | undefined
  readonly contentKeyClass?: ContentKeyClass | undefined
  readonly systemIds?: readonly SystemId[] | undefined
  /** SHA-256 fingerprints of the certificates that keys were encrypted for. */
  readonly recipients?: readonly string[] | undefined
  /** How many keys. */
  readonly keys?: number | undefined
  /** How many requests this record stands for, where several alike came within one second; undefined: one. */
  readonly requests?: number | undefined
  /** Whether something that encryptors may hold was changed. */
  readonly forced?: boolean | undefined
  /** In the words of whoever asked for it. */
  readonly reason?: string | undefined
  /** The error code of what was refused or failed. */
  readonly code?: string | undefined
}

/** The log of who did what. */
export interface AuditLog {
  /** Resolves when the entry is durable. Rejects with ERR_AUDIT_UNAVAILABLE when it cannot be written. */
  write(entry: AuditEntry): Promise<void>
  /** Takes the entry to be written soon; never throws. What is lost is counted. */
  spool(entry: AuditEntry): void
  /** Writes what waits. */
  close(): Promise<void>
}
