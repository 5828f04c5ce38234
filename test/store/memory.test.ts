import { memoryStore } from '../../src/store/memory.ts'
import { clientStoreContract } from './client-store-contract.ts'
import { ledgerStoreContract } from './ledger-store-contract.ts'
import { maintenanceContract } from './maintenance-contract.ts'
import { secretStoreContract } from './secret-store-contract.ts'

secretStoreContract('memory', async () => memoryStore())
ledgerStoreContract('memory', async () => memoryStore())
maintenanceContract('memory', async () => memoryStore())
clientStoreContract('memory', async () => memoryStore())
