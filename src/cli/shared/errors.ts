import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'

/** Exit codes of the process. `keyspring --help` lists them. */
export const EXIT = {
  done: 0,
  /** An unexpected error, or one of the operating system, such as a port that is in use. */
  failed: 1,
  /** Wrong usage, or an invalid configuration. */
  usage: 2,
  /** The store or the root key cannot be used. */
  keys: 3,
  /** Rejected because of what is stored (an override that exists, a destroyed content), or by the key provider that was asked. */
  refused: 4,
  /** The answer of the key provider that was asked cannot be used. */
  answer: 5,
  /** The worst finding of `lint`, `verify`, `server doctor` or `audit verify`: an error, a warning, a note. */
  errorsFound: 6,
  warningsFound: 7,
  notesFound: 8,
} as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Error codes whose exit code is not `failed`. */
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

/** The exit code for a thrown error. */
export function exitCodeOf(error: unknown): ExitCode {
  return (error instanceof KeyProviderError ? EXIT_OF[error.code] : undefined) ?? EXIT.failed
}

/** What to do about an error, beyond what its message says. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  ERR_CONFIG_INVALID: 'docs/config.md describes every setting; `keyspring config init` writes a first file',
  ERR_IMPORT_INVALID: '--format names the format; keys for which the file names no content need --content-id ID',
  ERR_ROOT_KEY_MISSING: 'restore root.key from its backup: without it no key in the store can be opened',
  ERR_ROOT_KEY_FOREIGN: 'restore the root.key that belongs to this store',
  ERR_OVERRIDE_EXISTS: 'add --force --reason TEXT to do it anyway: players that have the old key will fail',
  ERR_STORE_SCHEMA_OLDER: 'back up the store, then run `keyspring store migrate` to update the schema',
  ERR_ANSWER_INVALID: 'an encryptor would stop here; docs/guides/request-keys-by-hand.md lists what is checked',
  ERR_USAGE_INVALID: 'run `keyspring COMMAND --help` to see how to use a command',
  ERR_STORE_SCHEMA_NEWER: 'run the newer Keyspring that wrote this store',
}

/** System errors that a user can fix. */
const SYSTEM_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens on this address: choose another with --port',
  EADDRNOTAVAIL: 'this machine does not have this address: choose another with --host',
  EACCES: 'permission denied',
  ENOENT: 'no such file or directory',
  EEXIST: 'the file exists already',
  EISDIR: 'this is a directory: name a file',
  ENOTDIR: 'a part of the path is not a directory',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EIO: 'the device reports an input or output error',
  EPIPE: 'the program that reads this output has ended',
}

/** The lines for standard error: what failed, then how to fix it. */
export function describeError(error: unknown): string {
  if (error instanceof KeyProviderError) {
    const [first = '', ...more] = error.message.split('\n')
    const lines =
      more.length === 0 || error.code === 'ERR_KEY_PROVIDER_REFUSED'
        ? [first, ...more]
        : [`${more.length + 1} problems`, ...[first, ...more].map((line) => `  ${line}`)]
    const hint = HINTS[error.code]
    return ['keyspring: ', lines.join('\n'), hint === undefined ? '' : `\nhint: ${hint}`].join('')
  }
  if (!(error instanceof Error)) return 'keyspring: failed without an error'
  const problem = 'code' in error ? SYSTEM_PROBLEMS[String(error.code)] : undefined
  if (problem === undefined) return `keyspring: ${error.stack ?? error.message}`
  const path = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : ''
  return `keyspring: ${path}${problem}`
}
