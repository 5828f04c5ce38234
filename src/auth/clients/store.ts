import type { Credential } from '../credentials/credential.ts'
import type { Client } from './client.ts'

/** A client and its credentials. */
export interface RegisteredClient {
  readonly client: Client
  readonly credentials: readonly Credential[]
}

/**
 * The store of clients that are not in the configuration. It never gets a secret: what Keyspring needs in the clear is sealed.
 * Every adapter passes `test/adapters/store/client-store-contract.ts`.
 */
export interface ClientStore {
  /** Every client, in the order of names. */
  listClients(): Promise<readonly RegisteredClient[]>
  /** Adds the client, or replaces the one of the same name with all its credentials. */
  putClient(registered: RegisteredClient): Promise<void>
  /** True if a client of that name existed. */
  removeClient(name: string): Promise<boolean>
}
