/** Exports of `keyspring`: the server, for programs that embed it. */
export { type ErrorCode, KeyProviderError } from '../core/errors.ts'
export { type Keyspring, type KeyspringOptions, startKeyspring } from '../server/keyspring.ts'
