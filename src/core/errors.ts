/** Every reason for which Keyspring rejects a request or fails. Codes are API: add, never rename. docs/errors.md lists each. */
export type ErrorCode =
  // The request as HTTP.
  | 'ERR_BODY_TOO_LARGE'
  | 'ERR_MEDIA_TYPE_UNSUPPORTED'
  | 'ERR_METHOD_NOT_ALLOWED'
  | 'ERR_ROUTE_NOT_FOUND'
  | 'ERR_REQUEST_FORWARDED'
  // The caller.
  | 'ERR_UNAUTHENTICATED'
  | 'ERR_FORBIDDEN'
  | 'ERR_JWKS_UNAVAILABLE'
  // The document as XML and CPIX.
  | 'ERR_XML_MALFORMED'
  | 'ERR_XML_LIMIT'
  | 'ERR_CPIX_INVALID'
  // SPEKE: the ten messages of its table of errors.
  | 'ERR_SPEKE_CONTENT_ID_MISSING'
  | 'ERR_SPEKE_CPIX_VERSION_MISSING'
  | 'ERR_SPEKE_CPIX_VERSION_UNSUPPORTED'
  | 'ERR_SPEKE_SCHEME_MISSING'
  | 'ERR_SPEKE_SCHEME_COMBINATION'
  | 'ERR_SPEKE_SCHEME_DRM_SYSTEM'
  | 'ERR_SPEKE_VERSION_UNSUPPORTED'
  | 'ERR_SPEKE_CONTRACT_MALFORMED'
  | 'ERR_SPEKE_CONTRACT_UNSUPPORTED'
  | 'ERR_SPEKE_CONTRACT_MISSING'
  // Requests for which SPEKE has no message.
  | 'ERR_SPEKE_SCHEME_UNKNOWN'
  | 'ERR_DRM_SYSTEM_UNKNOWN'
  | 'ERR_SIGNALING_INVALID'
  | 'ERR_RECIPIENT_INVALID'
  | 'ERR_KID_CONFLICT'
  | 'ERR_CONTENT_GONE'
  | 'ERR_CONTENT_EXPIRED'
  // Players.
  | 'ERR_LICENSE_REQUEST_INVALID'
  | 'ERR_KEY_NOT_FOUND'
  | 'ERR_KEY_GUARDS_DRM'
  | 'ERR_ACCESS_UNAVAILABLE'
  | 'ERR_RATE_LIMITED'
  // Operators.
  | 'ERR_API_REQUEST_INVALID'
  | 'ERR_CONTENT_NOT_FOUND'
  | 'ERR_CONTENT_HELD'
  | 'ERR_DOCUMENT_EXISTS'
  | 'ERR_PRECONDITION_FAILED'
  | 'ERR_PRECONDITION_MISSING'
  | 'ERR_IMPORT_INVALID'
  | 'ERR_IDEMPOTENCY_CONFLICT'
  | 'ERR_AUDIT_UNAVAILABLE'
  | 'ERR_AUDIT_BROKEN'
  // The Widevine Common Encryption API: its answer has a status word of that API.
  | 'ERR_WIDEVINE_REQUEST_REFUSED'
  // Decoders.
  | 'ERR_PSSH_INVALID'
  | 'ERR_PLAYREADY_OBJECT_INVALID'
  | 'ERR_WIDEVINE_PSSH_DATA_INVALID'
  | 'ERR_KEY_UNWRAP_FAILED'
  // Keys at rest.
  | 'ERR_SEAL_BROKEN'
  | 'ERR_ROOT_KEY_MISSING'
  | 'ERR_ROOT_KEY_FOREIGN'
  | 'ERR_ROOT_KEY_INVALID'
  | 'ERR_ROOT_KEY_UNAVAILABLE'
  | 'ERR_STORE_UNAVAILABLE'
  | 'ERR_STORE_SCHEMA_NEWER'
  | 'ERR_STORE_SCHEMA_OLDER'
  | 'ERR_STORE_CONFLICT'
  | 'ERR_DATA_KEY_REMOVED'
  | 'ERR_BACKUP_INVALID'
  | 'ERR_OVERRIDE_EXISTS'
  | 'ERR_OVERRIDE_INVALID'
  // The encryptor's side: another key provider, or wrong usage.
  | 'ERR_KEY_PROVIDER_UNREACHABLE'
  | 'ERR_KEY_PROVIDER_REFUSED'
  | 'ERR_ANSWER_INVALID'
  | 'ERR_USAGE_INVALID'
  // The server itself.
  | 'ERR_CONFIG_INVALID'
  | 'ERR_SELF_TEST_FAILED'
  | 'ERR_OVERLOADED'

/** The base of every error that this project throws on purpose. Its message never contains a key, an IV, a token or a password. */
export class KeyProviderError extends Error {
  override readonly name: string = 'KeyProviderError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** An error in the arguments of a command. */
export function wrongUsage(problem: string, cause?: unknown): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem, cause === undefined ? {} : { cause })
}
