import type { Credential } from '../credentials/credential.ts'
import type { Client } from './client.ts'

/** A client and what it proves itself by. */
export interface RegisteredClient {
  readonly client: Client
  readonly credentials: readonly Credential[]
}

/**
 * Where clients live that are not in the configuration. No store sees a secret: what is needed in the clear is sealed. Every
 * adapter passes `test/adapters/store/client-store-contract.ts`.
 */
export interface ClientStore {
  /** Every client, by name. */
  listClients(): Promise<readonly RegisteredClient[]>
  /** Adds the client, or replaces the one of the same name with all its credentials. */
  putClient(registered: RegisteredClient): Promise<void>
  /** Whether there was a client of that name. */
  removeClient(name: string): Promise<boolean>
}
