import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'

/** Who did something, and how they authenticated. */
export interface Actor {
  /** The method of authentication, `anonymous`, `cli` or `server`. */
  readonly method: string
  /** The name of the client; for the command line, the operating system's user. */
  readonly id: string
  /** The address that the request came from. */
  readonly address?: string | undefined
}

/** The recorded actions. To add one, add a line here and its row in docs/guides/audit.md. */
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

/** One record, without what the chain adds: number, time, node, hashes and MAC. Never a key, a token or a document. */
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
  /** SHA-256 fingerprints, in hex, of the certificates that keys were encrypted for. */
  readonly recipients?: readonly string[] | undefined
  /** How many keys. */
  readonly keys?: number | undefined
  /** How many identical requests within a second this record counts; undefined: one. */
  readonly requests?: number | undefined
  /** Whether a key that encryptors may hold was changed. */
  readonly forced?: boolean | undefined
  /** The reason that the operator gave. */
  readonly reason?: string | undefined
  /** The error code of a rejected or failed operation. */
  readonly code?: string | undefined
}

/** The log of who did what. */
export interface AuditLog {
  /** Resolves when the entry is durable. Rejects with ERR_AUDIT_UNAVAILABLE when it cannot be written. */
  write(entry: AuditEntry): Promise<void>
  /** Writes the entry soon. Never throws. Lost entries are counted. */
  spool(entry: AuditEntry): void
  /** Writes the waiting entries and closes the log. */
  close(): Promise<void>
}
