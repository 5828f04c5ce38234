import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { openSqliteStore } from '../../../../src/adapters/store/sqlite/store.ts'
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

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-sqlite-'))
after(() => rmSync(scratch, { recursive: true }))

let files = 0
const open = async () => openSqliteStore({ file: join(scratch, `${files++}.db`) })

secretStoreContract('sqlite', open)
oneStepOverridesContract('sqlite', async () => {
  const store = await open()
  return [store, store]
})
ledgerStoreContract('sqlite', open)
issuedKidStoreContract('sqlite', open)
recentPeriodsContract('sqlite', open)
maintenanceContract('sqlite', open)
clientStoreContract('sqlite', open)
lifeStoreContract('sqlite', open)
documentStoreContract('sqlite', open)
catalogueContract('sqlite', open)
boundedSearchContract('sqlite', open)
idempotencyContract('sqlite', open)
auditHeadContract('sqlite', open)
