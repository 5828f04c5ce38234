import type { Client } from './clients/client.ts'
import type { AuthenticationFailure } from './failure.ts'
import type { Presented } from './presented.ts'

/**
 * Where a credential is, the strongest place first. A gateway that authenticated itself speaks for its caller. A credential
 * in the request goes before the certificate of the connection, which may be a proxy's.
 */
export const PLACES = ['gateway', 'request', 'connection'] as const

/** One way to authenticate. `methods/methods.ts` says how to add one. */
export interface AuthMethod {
  readonly name: string
  readonly place: (typeof PLACES)[number]
  /** The values of WWW-Authenticate for this method. `failure` is why the caller's own attempt failed. */
  challenges?(presented: Presented, failure?: AuthenticationFailure): readonly string[]
  /** Whether a credential of this method is presented, be it valid or not. */
  recognizes(presented: Presented): boolean
  /** A gateway leaves this credential in the request after it verified the credential itself. */
  isLeftByGateway?(presented: Presented): boolean
  /** The client of the credential. It judges the head before it reads the body. Throws an AuthenticationError. */
  verify(presented: Presented): Promise<Client> | Client
}
