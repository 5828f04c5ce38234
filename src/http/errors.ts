import { AuthenticationError, RateLimitedError } from '../auth/failure.ts'
import { type ErrorCode, KeyProviderError } from '../core/errors.ts'
import { AccessError } from '../protocols/playback/access.ts'
import { SpekeError } from '../protocols/speke/error.ts'
import { type Reply, UnsupportedEncodingError } from './request.ts'

/** The HTTP status of every code. A new code does not compile until it has a line here. */
export const STATUS: Record<ErrorCode, number> = {
  ERR_BODY_TOO_LARGE: 413,
  ERR_MEDIA_TYPE_UNSUPPORTED: 415,
  ERR_METHOD_NOT_ALLOWED: 405,
  ERR_ROUTE_NOT_FOUND: 404,
  // Not 421, which invites the client to try another connection: that does not help here.
  ERR_REQUEST_FORWARDED: 403,

  ERR_UNAUTHENTICATED: 401,
  ERR_FORBIDDEN: 403,
  ERR_JWKS_UNAVAILABLE: 503,

  ERR_XML_MALFORMED: 400,
  ERR_XML_LIMIT: 413,
  ERR_CPIX_INVALID: 422,

  ERR_SPEKE_CONTENT_ID_MISSING: 422,
  ERR_SPEKE_CPIX_VERSION_MISSING: 422,
  ERR_SPEKE_CPIX_VERSION_UNSUPPORTED: 422,
  ERR_SPEKE_SCHEME_MISSING: 422,
  ERR_SPEKE_SCHEME_COMBINATION: 422,
  ERR_SPEKE_SCHEME_DRM_SYSTEM: 422,
  ERR_SPEKE_VERSION_UNSUPPORTED: 422,
  ERR_SPEKE_CONTRACT_MALFORMED: 422,
  ERR_SPEKE_CONTRACT_UNSUPPORTED: 422,
  ERR_SPEKE_CONTRACT_MISSING: 422,

  ERR_SPEKE_SCHEME_UNKNOWN: 422,
  ERR_DRM_SYSTEM_UNKNOWN: 422,
  ERR_SIGNALING_INVALID: 422,
  ERR_RECIPIENT_INVALID: 422,
  ERR_KID_CONFLICT: 422,
  ERR_CONTENT_GONE: 410,
  ERR_CONTENT_EXPIRED: 410,

  ERR_LICENSE_REQUEST_INVALID: 400,
  ERR_KEY_NOT_FOUND: 404,
  ERR_KEY_GUARDS_DRM: 403,
  ERR_ACCESS_UNAVAILABLE: 503,
  ERR_RATE_LIMITED: 429,

  ERR_API_REQUEST_INVALID: 400,
  ERR_CONTENT_NOT_FOUND: 404,
  ERR_CONTENT_HELD: 409,
  ERR_DOCUMENT_EXISTS: 409,
  ERR_PRECONDITION_FAILED: 412,
  ERR_PRECONDITION_MISSING: 428,
  ERR_IMPORT_INVALID: 422,
  ERR_IDEMPOTENCY_CONFLICT: 409,
  ERR_AUDIT_UNAVAILABLE: 503,
  ERR_AUDIT_BROKEN: 500,

  // The Widevine API answers 200 with its own status word; this is for a failure outside such an answer.
  ERR_WIDEVINE_REQUEST_REFUSED: 400,

  ERR_PSSH_INVALID: 500,
  ERR_PLAYREADY_OBJECT_INVALID: 500,
  ERR_WIDEVINE_PSSH_DATA_INVALID: 500,
  // Imported keys that are encrypted to the import certificate.
  ERR_KEY_UNWRAP_FAILED: 422,

  ERR_SEAL_BROKEN: 500,
  ERR_ROOT_KEY_MISSING: 500,
  ERR_ROOT_KEY_FOREIGN: 500,
  ERR_ROOT_KEY_INVALID: 500,
  ERR_ROOT_KEY_UNAVAILABLE: 503,
  ERR_STORE_UNAVAILABLE: 503,
  ERR_STORE_SCHEMA_NEWER: 500,
  ERR_STORE_SCHEMA_OLDER: 500,
  ERR_STORE_CONFLICT: 500,
  ERR_DATA_KEY_REMOVED: 503,
  ERR_BACKUP_INVALID: 500,
  ERR_OVERRIDE_EXISTS: 409,
  ERR_OVERRIDE_INVALID: 422,

  // Only the command line meets these.
  ERR_KEY_PROVIDER_UNREACHABLE: 500,
  ERR_KEY_PROVIDER_REFUSED: 500,
  ERR_ANSWER_INVALID: 500,
  ERR_USAGE_INVALID: 500,

  ERR_CONFIG_INVALID: 500,
  ERR_SELF_TEST_FAILED: 500,
  ERR_OVERLOADED: 503,
}

/** The path exists, but not with this method; `allow` lists the methods it has. */
export class MethodNotAllowedError extends KeyProviderError {
  override readonly name = 'MethodNotAllowedError'
  readonly allow: string

  constructor(allow: string) {
    super('ERR_METHOD_NOT_ALLOWED', `expected the method ${allow}`)
    this.allow = allow
  }
}

/** The longest reason header, in characters. */
const MAX_REASON = 512
const RETRY_AFTER_SECONDS = '2'

/** The reply to an error: a 4XX is the bare message, as SPEKE requires; a 5XX hides its cause from the caller. */
export function toReply(error: unknown): Reply {
  const status = error instanceof KeyProviderError ? STATUS[error.code] : 500
  if (status === 503) {
    return textReply(503, 'temporarily unavailable, try again', { 'retry-after': RETRY_AFTER_SECONDS })
  }
  if (!(error instanceof KeyProviderError) || status >= 500) return textReply(500, 'internal error')
  return textReply(status, error.message, headersOf(error))
}

/** The strings of SPEKE are fixed and say little, so a header beside them says where and why. */
function headersOf(error: KeyProviderError): Reply['headers'] {
  if (error instanceof MethodNotAllowedError) return { allow: error.allow }
  if (error instanceof RateLimitedError) return { 'retry-after': String(error.retryAfterSeconds) }
  // One header for each challenge: clients of RFC 2617 read only the first challenge of a header.
  if (error instanceof AuthenticationError) return { 'www-authenticate': [...error.challenges] }
  if (error instanceof AccessError) return challengeOf(error)
  // RFC 9110, 12.5.3: what would be accepted instead.
  if (error instanceof UnsupportedEncodingError) return { 'accept-encoding': 'identity' }
  if (!(error instanceof SpekeError) || error.detail === undefined) return {}
  return { 'x-keyspring-reason': error.detail.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON) }
}

/** @see RFC 6750, 3 (WWW-Authenticate) */
function challengeOf({ code, reason }: AccessError): Readonly<Record<string, string>> {
  if (code !== 'ERR_UNAUTHENTICATED') return {}
  return { 'www-authenticate': reason === 'token-missing' ? 'Bearer' : 'Bearer error="invalid_token"' }
}

/** A reply with one line of plain text, which no cache keeps. */
export function textReply(status: number, text: string, headers: Reply['headers'] = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers },
    body: text,
  }
}
