import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'

/** What the process ends with. `keyspring --help` lists them. */
export const EXIT = {
  done: 0,
  /** Something that was not foreseen, or the system refused: a port that is taken. */
  failed: 1,
  /** Wrong usage, or a configuration that cannot be followed. */
  usage: 2,
  /** The store or the root key cannot be used. */
  keys: 3,
  /** What is stored stands against it: an override that exists, a content that is gone. Or the key provider that was asked. */
  refused: 4,
  /** The key provider that was asked gave an answer that cannot be used. */
  answer: 5,
  /** What `lint` or `verify` found, by the worst of it: errors, warnings, notes. */
  errorsFound: 6,
  warningsFound: 7,
  notesFound: 8,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** The codes that do not end with `failed`. */
const EXIT_OF: Partial<Record<ErrorCode, ExitCode>> = {
  ERR_CONFIG_INVALID: EXIT.usage,
  ERR_OVERRIDE_INVALID: EXIT.usage,
  ERR_PSSH_INVALID: EXIT.usage,
  ERR_USAGE_INVALID: EXIT.usage,
  ERR_API_REQUEST_INVALID: EXIT.usage,
  ERR_IMPORT_INVALID: EXIT.usage,
  ERR_AUDIT_UNAVAILABLE: EXIT.keys,
  ERR_STORE_UNAVAILABLE: EXIT.keys,
  ERR_STORE_SCHEMA_NEWER: EXIT.keys,
  ERR_STORE_SCHEMA_OLDER: EXIT.keys,
  ERR_STORE_CONFLICT: EXIT.refused,
  ERR_DATA_KEY_REMOVED: EXIT.keys,
  ERR_BACKUP_INVALID: EXIT.keys,
  ERR_SEAL_BROKEN: EXIT.keys,
  ERR_ROOT_KEY_MISSING: EXIT.keys,
  ERR_ROOT_KEY_FOREIGN: EXIT.keys,
  ERR_ROOT_KEY_INVALID: EXIT.keys,
  ERR_ROOT_KEY_UNAVAILABLE: EXIT.keys,
  ERR_OVERRIDE_EXISTS: EXIT.refused,
  ERR_KID_CONFLICT: EXIT.refused,
  ERR_CONTENT_GONE: EXIT.refused,
  ERR_CONTENT_EXPIRED: EXIT.refused,
  ERR_CONTENT_NOT_FOUND: EXIT.refused,
  ERR_KEY_NOT_FOUND: EXIT.refused,
  ERR_CONTENT_HELD: EXIT.refused,
  ERR_DOCUMENT_EXISTS: EXIT.refused,
  ERR_PRECONDITION_FAILED: EXIT.refused,
  ERR_IDEMPOTENCY_CONFLICT: EXIT.refused,
  ERR_AUDIT_BROKEN: EXIT.errorsFound,
  ERR_KEY_PROVIDER_REFUSED: EXIT.refused,
  ERR_ANSWER_INVALID: EXIT.answer,
}

/** The exit code of something thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  return (error instanceof KeyProviderError ? EXIT_OF[error.code] : undefined) ?? EXIT.failed
}
