import type { ClientStore } from '../../../auth/clients/store.ts'
import type { Tenant } from '../../../keys/ports/content-ref.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'

/** Clients in memory. */
export function memoryClientStore(): ClientStore & {
  /** How many clients need a data key. */
  readonly clientsSealedBy: (tenant: Tenant, generation: number) => number
} {
  const clients = new Map<string, string>()
  const all = () => [...clients.keys()].sort().map((name) => fromClientJson(clients.get(name)))
  return {
    listClients: async () => all(),
    async putClient(registered) {
      clients.set(registered.client.name, toClientJson(registered))
    },
    removeClient: async (name) => clients.delete(name),
    clientsSealedBy: (tenant, generation) =>
      all()
        .flatMap(dataKeysOf)
        .filter((one) => one.tenant === tenant && one.generation === generation).length,
  }
}
