import type { KeyObject } from 'node:crypto'
import { AuthenticationError, type AuthenticationFailure } from '../../auth/failure.ts'
import { type SignedTarget, verifySignedUrl } from '../../auth/players/signed-url.ts'
import { grantCovers, type PlayerTokens } from '../../auth/players/token.ts'
import type { AccessControl, AccessRequest, Decision, DenialReason } from './access.ts'

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
