import type { ClientStore } from '../../../auth/clients/store.ts'
import type { Tenant } from '../../../keys/ports/content-ref.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'
import type { DynamoDbDataKeys } from './data-keys.ts'
import { CLIENTS } from './items.ts'
import { replaceItem } from './once.ts'
import type { DynamoDbTable } from './table.ts'

/** Clients in the DynamoDB table. */
export interface DynamoDbClients extends Pick<ClientStore, 'listClients' | 'removeClient'> {
  putClient(registered: Parameters<ClientStore['putClient']>[0], dataKeys: Guard): Promise<void>
  /** The number of clients that need a data key. */
  countSealedBy(tenant: Tenant, generation: number): Promise<number>
}
type Guard = Pick<DynamoDbDataKeys, 'claim' | 'confirm'>

export function dynamoDbClients(table: DynamoDbTable): DynamoDbClients {
  const keyOf = (name: string) => ({ pk: CLIENTS, sk: `client ${name}` })
  const listClients = async () => {
    const clients = []
    for await (const page of table.query(CLIENTS)) clients.push(...page.map(({ json }) => fromClientJson(json)))
    return clients.sort(({ client: a }, { client: b }) => (a.name < b.name ? -1 : 1))
  }
  return {
    listClients,

    async putClient(registered, dataKeys) {
      const { client, credentials } = registered
      const sealed = credentials.flatMap((one) => ('sealed' in one ? [one.sealed] : []))
      await dataKeys.claim(client.tenant, sealed)
      await replaceItem(table, { ...keyOf(client.name), json: toClientJson(registered) })
      await dataKeys.confirm(client.tenant, sealed)
    },

    removeClient: (name) => table.remove(keyOf(name), { present: ['pk'] }),

    async countSealedBy(tenant, generation) {
      const needed = (await listClients()).flatMap(dataKeysOf)
      return needed.filter((one) => one.tenant === tenant && one.generation === generation).length
    },
  }
}
