import { createSecretKey, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../errors.ts'
import type { DataKey, RandomBytes } from './seal.ts'
import type { RootKey, SecretStore, StoredDataKey, Tenant } from './store.ts'

/** The open data keys of every tenant, kept in memory: the root key is asked once for each. */
export interface DataKeys {
  /** The newest data key of a tenant. Creates the first. */
  current(tenant: Tenant): Promise<DataKey>
  /** The data key of a generation, or undefined when the store has none. */
  find(tenant: Tenant, generation: number): Promise<KeyObject | undefined>
}

export interface DataKeysOptions {
  readonly store: Pick<SecretStore, 'findDataKeys' | 'putDataKeyIfAbsent'>
  readonly rootKey: RootKey
  /** What a message calls the root key: the path of its file, the name of its KMS key. */
  readonly rootKeyName: string
  readonly randomBytes: RandomBytes
}

const SIZE = 32

/** Finds, creates and opens data keys. Throws ERR_ROOT_KEY_FOREIGN for those that another root key wrapped. */
export function createDataKeys(options: DataKeysOptions): DataKeys {
  const { store, rootKey, rootKeyName, randomBytes } = options
  const opened = new Map<Tenant, Promise<readonly DataKey[]>>()

  /** One reading at a time for each tenant; one that failed or found nothing is not remembered. */
  const remember = (tenant: Tenant, reading: Promise<readonly DataKey[]>): Promise<readonly DataKey[]> => {
    const forget = (): void => {
      if (opened.get(tenant) === reading) opened.delete(tenant)
    }
    opened.set(tenant, reading)
    reading.then((keys) => keys.length === 0 && forget(), forget)
    return reading
  }

  const openAll = async (tenant: Tenant): Promise<readonly DataKey[]> => {
    const stored = await store.findDataKeys(tenant)
    const keys = await Promise.all(stored.map((one) => openDataKey(rootKey, rootKeyName, one)))
    return keys.sort((a, b) => a.generation - b.generation)
  }

  const openOrCreate = async (tenant: Tenant): Promise<readonly DataKey[]> => {
    const keys = await openAll(tenant)
    if (keys.length > 0) return keys
    const clear = randomBytes(SIZE)
    const wrapped = await rootKey.wrap(clear, dataKeyContext({ tenant, generation: 1 }))
    clear.fill(0)
    // Another process may have been first: only the key that stands is used.
    const standing = await store.putDataKeyIfAbsent({ tenant, generation: 1, wrapped })
    return [await openDataKey(rootKey, rootKeyName, standing)]
  }

  return {
    async current(tenant) {
      for (;;) {
        const keys = await (opened.get(tenant) ?? remember(tenant, openOrCreate(tenant)))
        // None: this was the reading of a `find` that creates nothing. It is forgotten by now.
        const newest = keys.at(-1)
        if (newest !== undefined) return newest
      }
    },

    async find(tenant, generation) {
      const known = await (opened.get(tenant) ?? remember(tenant, openAll(tenant)))
      // Another process may have added a generation since.
      return ofGeneration(known, generation) ?? ofGeneration(await remember(tenant, openAll(tenant)), generation)
    },
  }
}

/** Opens a stored data key with the root key it must belong to. */
export async function openDataKey(rootKey: RootKey, rootKeyName: string, stored: StoredDataKey): Promise<DataKey> {
  const clear = await rootKey.unwrap(stored.wrapped, dataKeyContext(stored))
  if (clear === undefined) {
    throw new KeyProviderError(
      'ERR_ROOT_KEY_FOREIGN',
      `the data key of tenant ${JSON.stringify(stored.tenant)} was wrapped by another root key than ${rootKeyName}; ` +
        'restore the root key that belongs to this store from its backup: without it these keys cannot be opened',
    )
  }
  const key = createSecretKey(clear)
  clear.fill(0)
  return { generation: stored.generation, key }
}

function dataKeyContext({ tenant, generation }: Pick<StoredDataKey, 'tenant' | 'generation'>) {
  return { use: 'data-key', tenant, generation: String(generation) }
}

function ofGeneration(keys: readonly DataKey[], generation: number): KeyObject | undefined {
  return keys.find((key) => key.generation === generation)?.key
}
