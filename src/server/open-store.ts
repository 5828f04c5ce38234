import { randomBytes } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { OpenKeysOptions } from '../keys/open-keys.ts'
import type { LedgerStore, SecretStore } from '../keys/store.ts'
import type { Config } from './config.ts'

/** A store and the way to the root key that belongs to it. */
export interface OpenedStore extends Pick<OpenKeysOptions, 'openRootKey' | 'rootKeyName'> {
  readonly store: SecretStore & LedgerStore
}

/** Opens the store of a configuration; `create` makes one where there is none. */
export async function openStore(config: Pick<Config, 'store' | 'data'>, create = true): Promise<OpenedStore> {
  return STORES[config.store](resolve(config.data), create)
}

/** The adapters, each loaded when it is used. */
const STORES: Readonly<Record<Config['store'], (data: string, create: boolean) => Promise<OpenedStore>>> = {
  async sqlite(data, create) {
    const [{ openSqliteStore }, { openLocalRootKey }] = await Promise.all([
      import('../store/sqlite.ts'),
      import('../kms/local-root-key.ts'),
    ])
    const rootKeyFile = join(data, 'root.key')
    return {
      store: openSqliteStore({ file: join(data, 'keyspring.db'), create }),
      openRootKey: (createRootKey) => openLocalRootKey({ file: rootKeyFile, create: createRootKey }),
      rootKeyName: rootKeyFile,
    }
  },

  // Nothing outlives the process, so neither does what seals it.
  async memory() {
    const [{ memoryStore }, { rootKeyOf }, { rootKeyId }] = await Promise.all([
      import('../store/memory.ts'),
      import('../kms/wrap.ts'),
      import('../kms/root-key-file.ts'),
    ])
    return {
      store: memoryStore(),
      openRootKey: async () => {
        const key = randomBytes(32)
        return { rootKey: rootKeyOf([{ id: rootKeyId(key), key }]), created: false }
      },
      rootKeyName: 'the root key in memory',
    }
  },
}
