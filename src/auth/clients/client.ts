import { matchesPattern } from '../../core/glob.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import { normalizeFingerprint } from '../certificate.ts'
import type { Credential } from '../credentials/credential.ts'
import { ForbiddenError } from '../failure.ts'

/**
 * The permissions of a client: request keys as an encryptor, read what was issued, change what is issued (import, override,
 * hold, delete), export keys, find keys by kid alone as a licence server, administer the server. `admin` includes reading and
 * changing, never the three that return keys.
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
  /**
   * SHA-256 fingerprints of the certificates that keys may be encrypted for, in hex: the client never gets a key in the clear.
   * Absent: any certificate, and keys in the clear.
   */
  readonly recipientFingerprints?: readonly string[] | undefined
  readonly signalingProfile?: string | undefined
}

/** What a client intends to do. */
export interface Intent {
  readonly scope: Scope
  readonly contentId?: string | undefined
  /** SHA-256 fingerprints of the certificates that the keys are encrypted for. Empty: in the clear. Absent: no key leaves. */
  readonly recipientFingerprints?: readonly string[] | undefined
}

/** Throws ERR_FORBIDDEN, with only the class of the reason, unless `client` may do what it intends. */
export function authorize(client: Client, { scope, contentId, recipientFingerprints }: Intent): void {
  if (!hasScope(client, scope)) throw new ForbiddenError('scope', client.name)
  if (contentId !== undefined && client.contentIds?.some((pattern) => matchesPattern(pattern, contentId)) === false) {
    throw new ForbiddenError('content', client.name)
  }
  if (recipientFingerprints !== undefined && !mayEncryptFor(client, recipientFingerprints)) {
    throw new ForbiddenError('recipient', client.name)
  }
}

/** Throws ERR_FORBIDDEN unless `client` may do what concerns every tenant: sweep all contents, read the metrics. */
export function authorizeServerWide(client: Client): void {
  authorize(client, { scope: 'admin' })
  if (client.contentIds !== undefined) throw new ForbiddenError('content', client.name)
}

/** Pins mean encryption: without any recipient the keys would leave in the clear. */
function mayEncryptFor(client: Client, recipientFingerprints: readonly string[]): boolean {
  if (client.recipientFingerprints === undefined) return true
  const pinned = new Set(client.recipientFingerprints.map(normalizeFingerprint))
  return recipientFingerprints.length > 0 && recipientFingerprints.every((one) => pinned.has(normalizeFingerprint(one)))
}

const OF_ADMIN: readonly Scope[] = ['keys:read', 'keys:write']

function hasScope({ scopes }: Client, scope: Scope): boolean {
  return scopes.includes(scope) || (OF_ADMIN.includes(scope) && scopes.includes('admin'))
}

/** A client and its credentials. */
export interface RegisteredClient {
  readonly client: Client
  readonly credentials: readonly Credential[]
}

/**
 * The store of clients that are not in the configuration. It never gets a secret: what Keyspring needs in the clear is sealed.
 * Every adapter passes `test/adapters/store/client-store-contract.ts`.
 */
export interface ClientStore {
  /** Every client, in the order of names. */
  listClients(): Promise<readonly RegisteredClient[]>
  /** Adds the client, or replaces the one of the same name with all its credentials. */
  putClient(registered: RegisteredClient): Promise<void>
  /** True if a client of that name existed. */
  removeClient(name: string): Promise<boolean>
}
