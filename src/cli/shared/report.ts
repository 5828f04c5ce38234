import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'

/** How to mend an error, beyond what its message says. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  ERR_CONFIG_INVALID: 'every setting is described in docs/config.md; `keyspring config init` writes a first file',
  ERR_ROOT_KEY_MISSING: 'restore root.key from its backup: without it no key in the store can be opened',
  ERR_ROOT_KEY_FOREIGN: 'restore the root.key that belongs to this store',
  ERR_OVERRIDE_EXISTS: '--force --reason TEXT does it all the same: players that have the old key will fail',
  ERR_STORE_SCHEMA_OLDER: '`keyspring store migrate` brings the schema up to date; back the store up first',
  ERR_ANSWER_INVALID: 'an encryptor would stop here; docs/guides/request-keys-by-hand.md says what is checked',
  ERR_USAGE_INVALID: '`keyspring COMMAND --help` says how a command is used',
  ERR_STORE_SCHEMA_NEWER: 'run the newer Keyspring that wrote this store',
}

/** The codes of the system that a user can mend. */
const SYSTEM_PROBLEMS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens on this address: choose another with --port',
  EADDRNOTAVAIL: 'this machine does not have this address: choose another with --host',
  EACCES: 'permission denied',
  ENOENT: 'no such file or directory',
  EEXIST: 'the file exists already',
}

/** An error in words for standard error: what is wrong, then how to mend it. */
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
