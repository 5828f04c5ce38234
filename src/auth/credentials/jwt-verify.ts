import { errors, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions, jwtVerify } from 'jose'
import { KeyProviderError } from '../../core/errors.ts'
import { AuthenticationError, type AuthenticationFailure } from '../failure.ts'

/** A token of more characters is refused unread. */
const MAX_LENGTH = 8_192

/** The claims of a token that fits `options`. Throws an AuthenticationError, or ERR_JWKS_UNAVAILABLE where the keys cannot be had. */
export async function verifyJwt(token: string, keys: JWTVerifyGetKey, options: JWTVerifyOptions): Promise<JWTPayload> {
  if (token.length > MAX_LENGTH) throw new AuthenticationError('malformed')
  try {
    return (await jwtVerify(token, keys, options)).payload
  } catch (error) {
    const reason = reasonOf(error)
    // Of a token that is refused no cause is kept: it holds the claims.
    if (reason !== undefined) throw new AuthenticationError(reason)
    throw new KeyProviderError(
      'ERR_JWKS_UNAVAILABLE',
      'the key set (JWKS) that tokens are checked with cannot be read: check its URL and that it answers 200 with a JWKS',
      { cause: error },
    )
  }
}

const REASON: Readonly<Record<string, AuthenticationFailure>> = {
  [errors.JWTExpired.code]: 'expired',
  [errors.JWTClaimValidationFailed.code]: 'mismatch',
  [errors.JWSSignatureVerificationFailed.code]: 'mismatch',
  [errors.JOSEAlgNotAllowed.code]: 'mismatch',
  [errors.JOSENotSupported.code]: 'mismatch',
  [errors.JWKSNoMatchingKey.code]: 'unknown',
  [errors.JWKSMultipleMatchingKeys.code]: 'ambiguous',
  [errors.JWSInvalid.code]: 'malformed',
  [errors.JWTInvalid.code]: 'malformed',
}

function reasonOf(error: unknown): AuthenticationFailure | undefined {
  if (error instanceof AuthenticationError) return error.reason
  if (!(error instanceof errors.JOSEError)) return undefined
  if (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf') return 'not-yet-valid'
  return REASON[error.code]
}
