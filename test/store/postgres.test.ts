import { after } from 'node:test'
import { openPostgresStore } from '../../src/store/postgres.ts'
import { clientStoreContract } from './client-store-contract.ts'
import { ledgerStoreContract } from './ledger-store-contract.ts'
import { maintenanceContract } from './maintenance-contract.ts'
import { startPostgres } from './postgres-server.ts'
import { secretStoreContract } from './secret-store-contract.ts'

const postgres = await startPostgres()
after(() => postgres.remove())

const open = async () => openPostgresStore({ url: await postgres.newUrl(), migrate: true })

secretStoreContract('postgres', open)
ledgerStoreContract('postgres', open)
maintenanceContract('postgres', open)
clientStoreContract('postgres', open)
