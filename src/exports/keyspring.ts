/** What `keyspring` exports: the server, for programs that run one themselves. */
export { type ErrorCode, KeyProviderError } from '../core/errors.ts'
export { type Keyspring, type KeyspringOptions, startKeyspring } from '../server/keyspring.ts'
