import type { Client } from './client.ts'
import type { Credential, CredentialMethod } from './credential.ts'

/** A client and what it proves itself by. */
export interface RegisteredClient {
  readonly client: Client
  readonly credentials: readonly Credential[]
}

/** Where clients live that are not in the configuration. No store sees a secret: what is needed in the clear is sealed. */
export interface ClientStore {
  list(): Promise<readonly RegisteredClient[]>
  /** The client that has the credential. */
  findByCredential(method: CredentialMethod, id: string): Promise<RegisteredClient | undefined>
  /** Adds the client, or replaces the one of the same name with all its credentials. */
  put(registered: RegisteredClient): Promise<void>
  /** Whether there was a client of that name. */
  remove(name: string): Promise<boolean>
}
