import { memoryStore } from '../../../../src/adapters/store/memory/store.ts'
import { auditHeadContract } from '../audit-head-contract.ts'
import { boundedSearchContract, catalogueContract } from '../catalogue-contract.ts'
import { clientStoreContract } from '../client-store-contract.ts'
import { documentStoreContract } from '../document-store-contract.ts'
import { idempotencyContract } from '../idempotency-contract.ts'
import { issuedKidStoreContract } from '../issued-kid-store-contract.ts'
import { ledgerStoreContract } from '../ledger-store-contract.ts'
import { lifeStoreContract } from '../life-store-contract.ts'
import { maintenanceContract } from '../maintenance-contract.ts'
import { recentPeriodsContract } from '../recent-periods-contract.ts'
import { oneStepOverridesContract, secretStoreContract } from '../secret-store-contract.ts'

secretStoreContract('memory', async () => memoryStore())
oneStepOverridesContract('memory', async () => {
  const store = memoryStore()
  return [store, store]
})
ledgerStoreContract('memory', async () => memoryStore())
issuedKidStoreContract('memory', async () => memoryStore())
recentPeriodsContract('memory', async () => memoryStore())
maintenanceContract('memory', async () => memoryStore())
clientStoreContract('memory', async () => memoryStore())
lifeStoreContract('memory', async () => memoryStore())
documentStoreContract('memory', async () => memoryStore())
catalogueContract('memory', async () => memoryStore())
boundedSearchContract('memory', async () => memoryStore())
idempotencyContract('memory', async () => memoryStore())
auditHeadContract('memory', async () => memoryStore())
