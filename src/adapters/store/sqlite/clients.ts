import type { DatabaseSync } from 'node:sqlite'
import type { RegisteredClient } from '../../../auth/clients/store.ts'
import { dataKeysOf, fromClientJson, toClientJson } from '../client-rows.ts'

/** The reads of a ClientStore on one connection. */
export interface SqliteClientReads {
  listClients(): readonly RegisteredClient[]
}

/** The writes, which run inside a transaction of the writer thread. */
export interface SqliteClientWrites {
  putClient(registered: RegisteredClient): void
  removeClient(name: string): boolean
}

export function sqliteClientReads(db: DatabaseSync): SqliteClientReads {
  const list = db.prepare('SELECT registered FROM client ORDER BY name')
  return { listClients: () => list.all().map((row) => fromClientJson(row.registered)) }
}

export function sqliteClientWrites(db: DatabaseSync): SqliteClientWrites {
  const put = db.prepare('INSERT OR REPLACE INTO client (name, registered) VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM client WHERE name = ?')
  const putSeal = db.prepare('INSERT INTO client_seal (name, tenant, generation) VALUES (?, ?, ?)')
  const removeSeals = db.prepare('DELETE FROM client_seal WHERE name = ?')
  return {
    putClient(registered) {
      const { name } = registered.client
      removeSeals.run(name)
      put.run(name, toClientJson(registered))
      for (const { tenant, generation } of dataKeysOf(registered)) putSeal.run(name, tenant, generation)
    },
    removeClient(name) {
      removeSeals.run(name)
      return remove.run(name).changes > 0
    },
  }
}
