import type { KeyObject } from 'node:crypto'
import { AuthenticationError, type AuthenticationFailure } from '../../auth/failure.ts'
import { type SignedTarget, verifySignedUrl } from '../../auth/players/signed-url.ts'
import { grantCovers, type PlayerTokens } from '../../auth/players/token.ts'
import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'

/** A player's request, with everything that may decide about it. */
export interface AccessRequest extends ContentRef {
  /** One key as it is, or a licence. */
  readonly what: 'key' | 'license'
  /** At least one. */
  readonly kids: readonly Kid[]
  readonly token: string | undefined
  /** The query of the URL that was asked for: a signed URL carries its proof there. */
  readonly query: URLSearchParams
  /** The address of the player, beyond the proxies that are trusted. */
  readonly ip: string
  readonly userAgent: string
  /** Milliseconds since 1970. */
  readonly now: number
}

/** What a player may have. */
export type Decision =
  | {
      readonly allow: true
      /** The kids of the request that are allowed; `all` when every one is. */
      readonly kids: 'all' | readonly Kid[]
      /** Whom to count the request for; undefined where nobody is named. */
      readonly subject?: string
    }
  | { readonly allow: false; readonly reason: DenialReason }

/** Decides which players get keys. A method that cannot decide throws: no key leaves then. */
export interface AccessControl {
  /** `beforeAsking` throws to prevent a question to another service: call it right before one. */
  allow(request: AccessRequest, beforeAsking?: () => void): Promise<Decision> | Decision
}

/** Why a player gets no key. The status says whether another token would help. */
type DenialReason =
  | 'token-missing'
  | 'token-invalid'
  | 'token-expired'
  | 'token-not-yet-valid'
  | 'content'
  | 'kid'
  | 'denied'

/** Every player gets every clear key: on loopback, or if the configuration says so. */
export const openAccess: AccessControl = { allow: () => ({ allow: true, kids: 'all' }) }

/** The allowed part of a request. */
interface Allowed {
  /** The kids of the request that are allowed, in its order: at least one. */
  readonly kids: readonly Kid[]
  readonly subject: string | undefined
}

/** Asks `access` about `request`. Throws an AccessError when nothing of it is allowed. */
export async function allowedKids(
  access: AccessControl,
  request: AccessRequest,
  beforeAsking?: () => void,
): Promise<Allowed> {
  const decision = await access.allow(request, beforeAsking)
  if (!decision.allow) throw new AccessError(decision.reason)
  const { kids: granted, subject } = decision
  const kids = granted === 'all' ? request.kids : request.kids.filter((kid) => granted.includes(kid))
  if (kids.length === 0) throw new AccessError('kid')
  return { kids, subject }
}

/** The error of a player that gets no key. */
export class AccessError extends KeyProviderError {
  override readonly name = 'AccessError'
  readonly reason: DenialReason

  constructor(reason: DenialReason) {
    super(...DENIALS[reason])
    this.reason = reason
  }
}

const DENIALS: Readonly<Record<DenialReason, readonly [code: ErrorCode, message: string]>> = {
  'token-missing': ['ERR_UNAUTHENTICATED', 'no token: this content is served to players that bring one'],
  'token-invalid': ['ERR_UNAUTHENTICATED', 'the token is not valid here'],
  'token-expired': ['ERR_UNAUTHENTICATED', 'the token has expired: get a new one'],
  'token-not-yet-valid': ['ERR_UNAUTHENTICATED', 'the token is not valid yet'],
  content: ['ERR_FORBIDDEN', 'the token is for another content'],
  kid: ['ERR_FORBIDDEN', 'the token is for other keys of this content'],
  denied: ['ERR_FORBIDDEN', 'the authorization service denies this request'],
}

/** Access by a JWT that names a tenant, contents and optionally kids. */
export function jwtAccess(tokens: PlayerTokens): AccessControl {
  return {
    async allow({ tenant, contentId, token }) {
      if (token === undefined) return denied('token-missing')
      try {
        const grant = await tokens.verify(token)
        if (!grantCovers(grant, { tenant, contentId })) return denied('content')
        const { kids = 'all', subject } = grant
        return { allow: true, kids, ...(subject === undefined ? {} : { subject }) }
      } catch (error) {
        return denialOf(error)
      }
    },
  }
}

/** Access by a URL that was signed for one key, or for the licences of a content. `keys` are by their ids. */
export function signedUrlAccess(keys: ReadonlyMap<string, KeyObject>): AccessControl {
  return {
    allow(request) {
      try {
        verifySignedUrl(keys, targetOf(request), request.query, request.now)
        return { allow: true, kids: 'all' }
      } catch (error) {
        return denialOf(error)
      }
    },
  }
}

function targetOf({ tenant, contentId, kids, what }: AccessRequest): SignedTarget {
  return { tenant, contentId, kid: what === 'key' ? kids[0] : undefined }
}

/** The reasons that a player can act on. All others are one reason, so that they reveal nothing about the token. */
const REASONS: Partial<Record<AuthenticationFailure, DenialReason>> = {
  missing: 'token-missing',
  expired: 'token-expired',
  'not-yet-valid': 'token-not-yet-valid',
}

function denialOf(error: unknown): Decision {
  if (!(error instanceof AuthenticationError)) throw error
  return denied(REASONS[error.reason] ?? 'token-invalid')
}

function denied(reason: DenialReason): Decision {
  return { allow: false, reason }
}
