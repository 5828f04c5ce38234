import { KeyProviderError } from '../core/errors.ts'

/** Why nobody was recognized. It is for the log alone: the caller is told the same whatever it was. */
export type AuthenticationFailure =
  /** No credential of a configured method. */
  | 'missing'
  /** More than one credential. */
  | 'ambiguous'
  | 'malformed'
  /** No such credential. */
  | 'unknown'
  /** Secret, signature or response do not fit. */
  | 'mismatch'
  | 'not-yet-valid'
  | 'expired'
  /** The nonce is too old or not ours. */
  | 'stale'
  | 'replayed'
  /** In the clear, where the method wants TLS. */
  | 'insecure'
  /** The body is not the one that was signed. */
  | 'body-mismatch'

/** The caller is nobody we know. The message is one for all; `challenges` are the values of WWW-Authenticate. */
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

/** What a known client may not do. */
export type ForbiddenReason = 'scope' | 'content' | 'recipient'

/** The client is known and may not do this. */
export class ForbiddenError extends KeyProviderError {
  override readonly name = 'ForbiddenError'
  readonly reason: ForbiddenReason
  /** Its name, for the log. */
  readonly client: string | undefined

  constructor(reason: ForbiddenReason, client?: string) {
    super('ERR_FORBIDDEN', `the client is not allowed to do this: ${reason}`)
    this.reason = reason
    this.client = client
  }
}
