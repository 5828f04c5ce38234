import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { ClientStore } from '../../auth/clients/client.ts'
import type { KeyProviderError } from '../../core/errors.ts'
import type { OpenKeysOptions } from '../../keys/crypto/data-keys.ts'
import type { ContentStore, LifeStore } from '../../keys/ports/content-store.ts'
import type { LedgerStore, RecentPeriods } from '../../keys/ports/ledger-store.ts'
import type { StoreMaintenance } from '../../keys/ports/maintenance-store.ts'
import type { RootKey } from '../../keys/ports/root-key.ts'
import type { ManageStore } from '../../operations/ports/store.ts'
import type { Config } from '../config/config.ts'

export type Store = ContentStore &
  LedgerStore &
  RecentPeriods &
  ClientStore &
  StoreMaintenance &
  LifeStore &
  ManageStore

/** A store, and the root key that belongs to it. */
interface OpenedStore extends Pick<OpenKeysOptions, 'openRootKey' | 'rootKeyName'> {
  readonly store: Store
}

type StoreSettings = Pick<Config, 'store' | 'data' | 'postgres' | 'dynamodb' | 'rootKey'>

interface OpenStoreOptions {
  /** Create a store if there is none. Default true. */
  readonly create?: boolean
  /** Update the schema of PostgreSQL; the schema of SQLite is always updated. */
  readonly migrate?: boolean
  readonly onReplicaAway?: (error: KeyProviderError) => void
  /** Called with the reason that the writer thread of SQLite ended, when another one starts. */
  readonly onWriterRestart?: (died: KeyProviderError) => void
}

/** Opens the store of a configuration. */
export async function openStore(config: StoreSettings, options: OpenStoreOptions = {}): Promise<OpenedStore> {
  const store = await STORES[config.store](config, options)
  // Nothing outlives a store in memory: neither does its root key.
  if (config.store === 'memory') return { store, openRootKey: inMemory, rootKeyName: 'the root key in memory' }
  return { store, openRootKey: (create) => openRootKeyOf(config, create), rootKeyName: rootKeyNameOf(config) }
}

const DAY_MS = 86_400_000

/** The adapters, each loaded when it is used. */
const STORES: Readonly<Record<Config['store'], (config: StoreSettings, options: OpenStoreOptions) => Promise<Store>>> =
  {
    async sqlite({ data }, { create = true, onWriterRestart }) {
      const { openSqliteStore } = await import('../../adapters/store/sqlite/store.ts')
      const directory = resolve(data)
      if (create) mkdirSync(directory, { recursive: true, mode: 0o700 })
      return openSqliteStore({ file: join(directory, 'keyspring.db'), create, onWriterRestart })
    },

    async memory() {
      const { memoryStore } = await import('../../adapters/store/memory/store.ts')
      return memoryStore()
    },

    async postgres({ postgres }, { migrate = false, onReplicaAway }) {
      const { url, replicas, connections, waiting, connectTimeoutMs, statementTimeoutMs } = postgres
      if (url === undefined) throw new TypeError('a PostgreSQL store without a URL')
      const { openPostgresStore } = await import('../../adapters/store/postgres/store.ts')
      return openPostgresStore({
        url,
        replicas,
        connections,
        maxWaiting: waiting,
        connectTimeoutMs,
        statementTimeoutMs,
        migrate,
        ...(onReplicaAway && { onReplicaAway }),
      })
    },

    async dynamodb({ dynamodb }) {
      const { table, eraseAfterDays, ...where } = dynamodb
      if (table === undefined) throw new TypeError('a DynamoDB store without a table')
      const { openDynamoDbStore } = await import('../../adapters/store/dynamodb/store.ts')
      return openDynamoDbStore({ ...where, table, now: () => Date.now(), graceMs: eraseAfterDays * DAY_MS })
    },
  }

async function inMemory() {
  const [{ rootKeyOf }, { rootKeyId }] = await Promise.all([
    import('../../adapters/root-keys/wrapping.ts'),
    import('../../adapters/root-keys/file.ts'),
  ])
  const key = randomBytes(32)
  return { rootKey: rootKeyOf([{ id: rootKeyId(key), key }]), created: false }
}

type RootKeySettings = Pick<Config, 'data' | 'rootKey'>
type OpenedRootKey = { readonly rootKey: RootKey; readonly created: boolean }

/** The file of a local root key. */
export function rootKeyFileOf({ data, rootKey }: RootKeySettings): string {
  return resolve(rootKey.file ?? join(data, 'root.key'))
}

/** The name of the root key in messages. */
export function rootKeyNameOf(settings: RootKeySettings): string {
  const { kind, awsKms, vault } = settings.rootKey
  if (kind === 'aws-kms') return `aws-kms ${awsKms.keyId}`
  return kind === 'vault' ? `vault ${vault.mount}/${vault.key}` : rootKeyFileOf(settings)
}

/** The root key of a configuration. It also opens data keys that the `previous` kinds wrapped. `create`: a local one may be created. */
export async function openRootKeyOf(settings: RootKeySettings, create: boolean): Promise<OpenedRootKey> {
  const { kind, previous } = settings.rootKey
  const { rootKey, created } = await ROOT_KEYS[kind](settings, create)
  if (previous.length === 0) return { rootKey, created }
  const { rootKeyChain } = await import('../../adapters/root-keys/wrapping.ts')
  const before = await Promise.all(previous.map(async (one) => (await ROOT_KEYS[one](settings, false)).rootKey))
  return { rootKey: rootKeyChain(rootKey, before), created }
}

const ROOT_KEYS: Readonly<
  Record<Config['rootKey']['kind'], (settings: RootKeySettings, create: boolean) => Promise<OpenedRootKey>>
> = {
  async local(settings, create) {
    const { openLocalRootKey } = await import('../../adapters/root-keys/local.ts')
    const file = rootKeyFileOf(settings)
    // Only the store in SQLite has created the directory.
    if (create && !existsSync(dirname(file))) mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    return openLocalRootKey({ file, create, passphrase: settings.rootKey.passphrase })
  },

  async 'aws-kms'({ rootKey: { awsKms } }) {
    const { keyId, region, endpoint, timeoutMs } = awsKms
    if (keyId === undefined) throw new TypeError('a root key in AWS KMS without its ID')
    const { openAwsKms } = await import('../../adapters/root-keys/aws-kms.ts')
    const where = { ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }) }
    return { rootKey: await openAwsKms({ keyId, timeoutMs, ...where }), created: false }
  },

  async vault({ rootKey: { vault } }) {
    const { url, key, mount, token, timeoutMs } = vault
    if (url === undefined || key === undefined || token === undefined)
      throw new TypeError('a root key in Vault without URL, key or token')
    const { openVault } = await import('../../adapters/root-keys/vault.ts')
    return { rootKey: openVault({ url, key, mount, token, timeoutMs }), created: false }
  },
}
