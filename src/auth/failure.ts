import { KeyProviderError } from '../core/errors.ts'

/** Why a caller was not authenticated. Only the log has it: the caller always gets the same message. */
export type AuthenticationFailure =
  /** No credential of a configured method. */
  | 'missing'
  /** More than one credential. */
  | 'ambiguous'
  | 'malformed'
  /** No such credential. */
  | 'unknown'
  /** The secret, signature or response is wrong. */
  | 'mismatch'
  | 'not-yet-valid'
  | 'expired'
  /** The nonce is too old or not ours. */
  | 'stale'
  | 'replayed'
  /** Sent in the clear, although the method requires TLS. */
  | 'insecure'
  /** The body is not the one that was signed. */
  | 'body-mismatch'

/** The caller is not authenticated. `challenges` are the values of WWW-Authenticate. */
export class AuthenticationError extends KeyProviderError {
  override readonly name = 'AuthenticationError'
  readonly reason: AuthenticationFailure
  /** The method whose credential was presented. */
  readonly method: string | undefined
  readonly challenges: readonly string[]

  constructor(reason: AuthenticationFailure, method?: string, challenges: readonly string[] = []) {
    super('ERR_UNAUTHENTICATED', 'the request carries no valid credential of a client that is configured here')
    this.reason = reason
    this.method = method
    this.challenges = challenges
  }
}

/** What the client may not do: use the scope, name the content, have keys for these recipients. */
type ForbiddenReason = 'scope' | 'content' | 'recipient'

/** The client is authenticated, but may not do this. */
export class ForbiddenError extends KeyProviderError {
  override readonly name = 'ForbiddenError'
  readonly reason: ForbiddenReason
  /** The name of the client, for the log. */
  readonly client: string | undefined

  constructor(reason: ForbiddenReason, client?: string) {
    super('ERR_FORBIDDEN', `the client is not allowed to do this: ${reason}`)
    this.reason = reason
    this.client = client
  }
}

/** A caller, a player or an address sends too many requests, or too many wrong credentials. */
export class RateLimitedError extends KeyProviderError {
  override readonly name = 'RateLimitedError'
  readonly retryAfterSeconds: number
  /** The name of the client, for the log. */
  readonly client: string | undefined

  constructor(retryAfterSeconds: number, client?: string) {
    super('ERR_RATE_LIMITED', `too many requests: try again in ${retryAfterSeconds} s`)
    this.retryAfterSeconds = retryAfterSeconds
    this.client = client
  }
}
