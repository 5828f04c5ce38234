import { matchesPattern } from '../../core/glob.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import { ForbiddenError } from '../failure.ts'
import { normalizeFingerprint } from '../fingerprint.ts'

/**
 * What a client may be allowed: ask for keys as an encryptor, read what was issued, change what is issued (import, override, hold,
 * delete), take keys out, find keys by kid alone as a licence server, administer. `admin` includes reading and changing, never the
 * three that give out keys.
 */
export const SCOPES = ['keys:issue', 'keys:read', 'keys:write', 'keys:export', 'keys:resolve', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

/** An authenticated caller of a tenant. */
export interface Client {
  readonly name: string
  readonly tenant: Tenant
  readonly scopes: readonly Scope[]
  /** Patterns in which `*` stands for any text. Absent: every content of the tenant. */
  readonly contentIds?: readonly string[] | undefined
  /** SHA-256 fingerprints of the certificates that keys may be encrypted for, in hex. Absent: any certificate. */
  readonly recipientFingerprints?: readonly string[] | undefined
  readonly signalingProfile?: string | undefined
}

/** What a client is about to do. */
export interface Intent {
  readonly scope: Scope
  readonly contentId?: string | undefined
  /** SHA-256 fingerprints of the certificates in DeliveryData. */
  readonly recipientFingerprints?: readonly string[] | undefined
}

/** Throws ERR_FORBIDDEN, with nothing but the class of the reason, unless `client` may do what it intends. */
export function authorize(client: Client, { scope, contentId, recipientFingerprints = [] }: Intent): void {
  if (!hasScope(client, scope)) throw new ForbiddenError('scope', client.name)
  if (contentId !== undefined && client.contentIds?.some((pattern) => matchesPattern(pattern, contentId)) === false) {
    throw new ForbiddenError('content', client.name)
  }
  if (client.recipientFingerprints !== undefined && recipientFingerprints.length > 0) {
    const pinned = new Set(client.recipientFingerprints.map(normalizeFingerprint))
    if (!recipientFingerprints.every((one) => pinned.has(normalizeFingerprint(one)))) {
      throw new ForbiddenError('recipient', client.name)
    }
  }
}

const OF_ADMIN: readonly Scope[] = ['keys:read', 'keys:write']

function hasScope({ scopes }: Client, scope: Scope): boolean {
  return scopes.includes(scope) || (OF_ADMIN.includes(scope) && scopes.includes('admin'))
}
