import type { Client } from './clients/client.ts'
import type { AuthenticationFailure } from './failure.ts'
import type { Presented } from './presented.ts'

/**
 * Where a credential stands, the strongest first. A gateway that proved itself speaks for its caller, whatever else it
 * passes on; a credential in the request goes before the certificate of the connection, which may be a proxy's.
 */
export const PLACES = ['gateway', 'request', 'connection'] as const
export type CredentialPlace = (typeof PLACES)[number]

/** One way to prove who is calling. To add one, write one file that makes this. */
export interface AuthMethod {
  readonly name: string
  readonly place: CredentialPlace
  /** The values of WWW-Authenticate that tell a caller how to use this method. `failure` is why its own attempt failed. */
  challenges?(presented: Presented, failure?: AuthenticationFailure): readonly string[]
  /** Whether a credential of this method is presented, be it valid or not. */
  recognizes(presented: Presented): boolean
  /** The client whose credential it is. Throws an AuthenticationError. */
  verify(presented: Presented): Promise<Client> | Client
}
