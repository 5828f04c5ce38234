import type { ClientStore } from '../auth/client-store.ts'
import type { LedgerStore, SecretStore, StoreMaintenance } from '../keys/store.ts'
import { memoryClientStore } from './memory-clients.ts'
import { memoryLedgerStore } from './memory-ledger.ts'
import { memorySecretStore } from './memory-secrets.ts'

/** A store that forgets everything when the process ends: for tests and trials. */
export function memoryStore(): SecretStore & LedgerStore & ClientStore & StoreMaintenance {
  const { clientsSealedBy, ...clients } = memoryClientStore()
  return { ...memorySecretStore(clientsSealedBy), ...memoryLedgerStore(), ...clients, close: async () => {} }
}
