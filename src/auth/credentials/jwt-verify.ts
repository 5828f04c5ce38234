import { hash } from 'node:crypto'
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { AuthenticationError, type AuthenticationFailure } from '../failure.ts'

/** A longer token is rejected unread, in characters. */
const MAX_LENGTH = 8_192
const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost']
/** Bytes of the object around a value. */
const OBJECT_BYTES = 40

/** The claims of a token that fits `options`. Rejects with AuthenticationError, or ERR_JWKS_UNAVAILABLE. */
export async function verifyJwt(token: string, keys: JWTVerifyGetKey, options: JWTVerifyOptions): Promise<JWTPayload> {
  if (token.length > MAX_LENGTH) throw new AuthenticationError('malformed')
  try {
    return (await jwtVerify(token, keys, options)).payload
  } catch (error) {
    const reason = reasonOf(error)
    // No cause: it holds the claims of a token that was rejected.
    if (reason !== undefined) throw new AuthenticationError(reason)
    throw new KeyProviderError(
      'ERR_JWKS_UNAVAILABLE',
      'the key set (JWKS) that verifies tokens cannot be read. Check its URL, and that it answers 200 with a JWKS',
      { cause: error },
    )
  }
}

/** The keys of a key set. @see RFC 7517, 5 */
export function localKeySet(keys: JSONWebKeySet): JWTVerifyGetKey {
  return createLocalJWKSet(keys)
}

/** The keys that an issuer publishes: `https:`, or `http:` on this machine. Throws ERR_CONFIG_INVALID. @see RFC 7517, 5 */
export function remoteKeySet(url: URL, fetch?: FetchImplementation): JWTVerifyGetKey {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && LOOPBACK.includes(url.hostname))) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `the key set (JWKS) of ${url.host}: expected an https URL, because anyone who can change the key set on the way can sign tokens`,
    )
  }
  return createRemoteJWKSet(url, fetch === undefined ? {} : { [customFetch]: fetch })
}

/** Tokens whose signature was verified, each by its SHA-256: no token stays in memory. */
export class VerifiedTokens<T> {
  readonly #now: () => number
  readonly #remembered

  /** `sizeOf` is the size of a value in bytes. All together take at most `maxBytes`. */
  constructor(maxBytes: number, sizeOf: (value: T) => number, now: () => number) {
    this.#now = now
    this.#remembered = new BoundedCache<{ readonly value: T; readonly until: number }>({
      maxBytes,
      sizeOf: ({ value }) => OBJECT_BYTES + sizeOf(value),
    })
  }

  get(token: string): T | undefined {
    const found = this.#remembered.get(hash('sha256', token, 'base64'))
    return found !== undefined && this.#now() < found.until ? found.value : undefined
  }

  /** `until` is in milliseconds since 1970. */
  set(token: string, value: T, until: number): void {
    this.#remembered.set(hash('sha256', token, 'base64'), { value, until })
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
