import type { ClientStore } from '../../../auth/clients/store.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'
import type { PostgresPool } from './pool.ts'
import { escapeName } from './reads.ts'
import { unlessRemoved } from './writes.ts'

const LIST = { name: 'keyspring-list-clients', text: 'SELECT registered FROM keyspring_client ORDER BY name' }
const PUT = {
  name: 'keyspring-put-client',
  text: `INSERT INTO keyspring_client (name, registered) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET registered = excluded.registered`,
}
const CLEAR_SEALS = { name: 'keyspring-clear-client-seals', text: 'DELETE FROM keyspring_client_seal WHERE name = $1' }
const PUT_SEAL = {
  name: 'keyspring-put-client-seal',
  text: 'INSERT INTO keyspring_client_seal (name, tenant, generation) VALUES ($1, $2, $3)',
}
const REMOVE = { name: 'keyspring-remove-client', text: 'DELETE FROM keyspring_client WHERE name = $1' }

/** Clients in PostgreSQL. The foreign key of each seal keeps the data key that a credential needs. */
export function postgresClients(pool: PostgresPool): ClientStore {
  return {
    listClients: async () => (await pool.run(LIST, [])).rows.map((row) => fromClientJson(row.registered)),
    putClient: (registered) =>
      unlessRemoved(
        registered.client,
        pool.transaction(async (run) => {
          const name = escapeName(registered.client.name)
          await run(PUT, [name, toClientJson(registered)])
          await run(CLEAR_SEALS, [name])
          for (const { tenant, generation } of dataKeysOf(registered)) {
            await run(PUT_SEAL, [name, escapeName(tenant), generation])
          }
        }),
      ),
    removeClient: async (name) => (await pool.run(REMOVE, [escapeName(name)])).count > 0,
  }
}
