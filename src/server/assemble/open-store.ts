import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { ClientStore } from '../../auth/clients/store.ts'
import type { KeyProviderError } from '../../core/errors.ts'
import type { OpenKeysOptions } from '../../keys/crypto/open-keys.ts'
import type { ContentStore } from '../../keys/ports/content-store.ts'
import type { LedgerStore, RecentPeriods } from '../../keys/ports/ledger-store.ts'
import type { LifeStore } from '../../keys/ports/lifetime-store.ts'
import type { StoreMaintenance } from '../../keys/ports/maintenance-store.ts'
import type { ManageStore } from '../../operations/ports/store.ts'
import type { Config } from '../config/config.ts'
import { openRootKeyOf, rootKeyNameOf } from './open-root-key.ts'

export type Store = ContentStore &
  LedgerStore &
  RecentPeriods &
  ClientStore &
  StoreMaintenance &
  LifeStore &
  ManageStore

/** A store and the way to the root key that belongs to it. */
export interface OpenedStore extends Pick<OpenKeysOptions, 'openRootKey' | 'rootKeyName'> {
  readonly store: Store
}

export type StoreSettings = Pick<Config, 'store' | 'data' | 'postgres' | 'dynamodb' | 'rootKey'>

export interface OpenStoreOptions {
  /** Makes a store where there is none. Default true. */
  readonly create?: boolean
  /** Brings the schema of PostgreSQL up to date; that of SQLite always is. */
  readonly migrate?: boolean
  readonly onReplicaAway?: (error: KeyProviderError) => void
  /** Told why the thread that writes to SQLite had died, when another is started in its place. */
  readonly onWriterRestart?: (died: KeyProviderError) => void
}

/** Opens the store of a configuration. */
export async function openStore(config: StoreSettings, options: OpenStoreOptions = {}): Promise<OpenedStore> {
  const store = await STORES[config.store](config, options)
  // Nothing outlives a store in memory, so neither does what seals it.
  if (config.store === 'memory') return { store, openRootKey: inMemory, rootKeyName: 'the root key in memory' }
  return { store, openRootKey: (create) => openRootKeyOf(config, create), rootKeyName: rootKeyNameOf(config) }
}

/** The adapters, each loaded when it is used. */
const STORES: Readonly<Record<Config['store'], (config: StoreSettings, options: OpenStoreOptions) => Promise<Store>>> =
  {
    async sqlite({ data }, { create = true, onWriterRestart }) {
      const { openSqliteStore } = await import('../../adapters/store/sqlite/store.ts')
      return openSqliteStore({ file: join(resolve(data), 'keyspring.db'), create, onWriterRestart })
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

const DAY_MS = 86_400_000

async function inMemory() {
  const [{ rootKeyOf }, { rootKeyId }] = await Promise.all([
    import('../../adapters/root-keys/wrap.ts'),
    import('../../adapters/root-keys/file.ts'),
  ])
  const key = randomBytes(32)
  return { rootKey: rootKeyOf([{ id: rootKeyId(key), key }]), created: false }
}
