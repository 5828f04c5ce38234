import type { LedgerStore, SecretStore, StoreMaintenance } from '../keys/store.ts'
import { memoryLedgerStore } from './memory-ledger.ts'
import { memorySecretStore } from './memory-secrets.ts'

/** A store that forgets everything when the process ends: for tests and trials. */
export function memoryStore(): SecretStore & LedgerStore & StoreMaintenance {
  return { ...memorySecretStore(), ...memoryLedgerStore(), close: async () => {} }
}
