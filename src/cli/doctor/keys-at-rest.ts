import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { RegisteredClient } from '../../auth/clients/store.ts'
import { proveOpens } from '../../keys/maintenance/drill.ts'
import { keyringStatus } from '../../keys/maintenance/rotate-data-keys.ts'
import type { Store } from '../../server/assemble/open-store.ts'
import type { Config } from '../../server/config/config.ts'
import { withOpenedKeys } from '../shared/opened-keys.ts'
import { expiryFinding } from './expiry.ts'
import { type Examination, fine, type HealthFinding } from './finding.ts'

/** How many contents are opened. */
const SAMPLE = 200

/** Whether the store opens, the root key is the one that belongs to it, and what is sealed opens with it. It writes nothing. */
export async function examineKeysAtRest({ config, now }: Examination): Promise<readonly HealthFinding[]> {
  if (config.store === 'memory') return [fine('store', 'in memory: its keys end with the server')]
  if (config.store === 'sqlite' && !existsSync(storeFile(config))) {
    return [
      {
        check: 'store',
        health: 'note',
        found: `there is no store at ${storeFile(config)} yet: the first start makes it`,
      },
    ]
  }
  return withOpenedKeys(config, async ({ store, rootKey, dataKeys, rootKeyName }) => {
    const status = await keyringStatus({ store, rootKey })
    const found = [
      fine('store', `${nameOf(config)} opens, with the schema of this version`),
      fine('root key', `${rootKeyName} opens ${status.length} data keys`),
    ]
    const old = status.filter(({ isNewest, isWrappedByNewest, rows }) => !isWrappedByNewest || (!isNewest && rows > 0))
    if (old.length > 0) found.push(unfinishedRotation(old.length))
    const { contents, opened } = await proveOpens({ store, dataKeys, sample: SAMPLE, random: Math.random })
    found.push(fine('seals', `${opened} of ${contents} contents were opened`))
    return [...found, ...(await examineCredentials(store, now()))]
  })
}

function storeFile({ data }: Config): string {
  return join(resolve(data), 'keyspring.db')
}

function nameOf(config: Config): string {
  return config.store === 'sqlite' ? storeFile(config) : `the ${config.store} store`
}

function unfinishedRotation(count: number): HealthFinding {
  return {
    check: 'root key',
    health: 'warning',
    found: `${count} data keys are old, or wrapped by an old root key, and still needed`,
    mend: '`keyspring keyring rewrap --remove-old` ends the rotation',
  }
}

/** The credentials of stored clients that expire. */
async function examineCredentials(store: Pick<Store, 'listClients'>, now: number): Promise<readonly HealthFinding[]> {
  const clients = await store.listClients()
  return clients.flatMap((one) => expiringCredentials(one, now))
}

/** What expires soon of a client, unless it has another credential of the kind that lasts. */
export function expiringCredentials({ client, credentials }: RegisteredClient, now: number): readonly HealthFinding[] {
  return credentials.flatMap(({ method, notAfter }) => {
    if (notAfter === undefined) return []
    const lasting = credentials.some(
      (other) => other.method === method && (other.notAfter ?? Number.POSITIVE_INFINITY) > notAfter,
    )
    if (lasting) return []
    const what = `the ${method} credential of client ${JSON.stringify(client.name)}`
    const mend = `\`keyspring client rotate --name ${client.name}\` gives it a new one beside the old`
    return expiryFinding({ check: 'clients', what, notAfter, now, mend, quiet: true })
  })
}
