import { openPostgresStore } from '../../../../src/adapters/store/postgres/store.ts'
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
import { sharedPostgres } from './server.ts'

const postgres = await sharedPostgres()

const open = async () => openPostgresStore({ url: await postgres.newUrl(), migrate: true })

secretStoreContract('postgres', open)
oneStepOverridesContract('postgres', async () => {
  const url = await postgres.newUrl()
  return [await openPostgresStore({ url, migrate: true }), await openPostgresStore({ url })]
})
ledgerStoreContract('postgres', open)
issuedKidStoreContract('postgres', open)
recentPeriodsContract('postgres', open)
maintenanceContract('postgres', open)
clientStoreContract('postgres', open)
lifeStoreContract('postgres', open)
documentStoreContract('postgres', open)
catalogueContract('postgres', open)
boundedSearchContract('postgres', open)
idempotencyContract('postgres', open)
auditHeadContract('postgres', open)
