import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { RegisteredClient } from '../../auth/clients/client.ts'
import { proveOpens } from '../../keys/maintenance/drill.ts'
import { keyringStatus } from '../../keys/maintenance/rotate-data-keys.ts'
import type { Store } from '../../server/assemble/open-store.ts'
import type { Config } from '../../server/config/config.ts'
import { withOpenedKeys } from '../shared/stored.ts'
import { type Examination, expiryFinding, fine, type HealthFinding } from './finding.ts'

/** How many contents the check opens. */
const SAMPLE = 200

/** Checks whether the store opens, its data keys unwrap with the root key, and a sample of contents opens. Writes nothing. */
export async function examineKeysAtRest({ config, now }: Examination): Promise<readonly HealthFinding[]> {
  if (config.store === 'memory') return [fine('store', 'in memory: its keys are lost when the server stops')]
  if (config.store === 'sqlite' && !existsSync(storeFile(config))) {
    return [
      {
        check: 'store',
        health: 'note',
        found: `there is no store at ${storeFile(config)} yet: the first start creates it`,
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
  return join(data, 'keyspring.db')
}

function nameOf(config: Config): string {
  return config.store === 'sqlite' ? storeFile(config) : `the ${config.store} store`
}

function unfinishedRotation(count: number): HealthFinding {
  return {
    check: 'root key',
    health: 'warning',
    found: `${count} data keys are old or wrapped by an old root key, and still in use`,
    fix: 'run `keyspring keyring rewrap --remove-old` to complete the rotation',
  }
}

/** The credentials of stored clients that expire soon. */
async function examineCredentials(store: Pick<Store, 'listClients'>, now: number): Promise<readonly HealthFinding[]> {
  const clients = await store.listClients()
  return clients.flatMap((one) => expiringCredentials(one, now))
}

/** The credentials of a client that expire soon, unless it has another credential of the same method that is valid longer. */
function expiringCredentials({ client, credentials }: RegisteredClient, now: number): readonly HealthFinding[] {
  return credentials.flatMap(({ method, notAfter }) => {
    if (notAfter === undefined) return []
    const hasSuccessor = credentials.some(
      (other) => other.method === method && (other.notAfter ?? Number.POSITIVE_INFINITY) > notAfter,
    )
    if (hasSuccessor) return []
    const what = `the ${method} credential of client ${JSON.stringify(client.name)}`
    const fix = `run \`keyspring client rotate --name ${client.name} --method ${method}\`: the old credential stays valid during an overlap`
    const finding = expiryFinding({ check: 'clients', what, notAfter, now, fix })
    return finding.health === 'ok' ? [] : [finding]
  })
}
