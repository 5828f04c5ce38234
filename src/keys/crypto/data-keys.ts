import { createSecretKey, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { Tenant } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { StoredDataKey } from '../ports/data-key-store.ts'
import type { RootKey } from '../ports/root-key.ts'
import { type DataKeyCaching, type OpenedDataKey, reopenLater } from './data-key-caching.ts'
import type { DataKey, RandomBytes } from './seal.ts'

/** The open data keys of every tenant, kept in memory: the root key is asked once for each, and again when they are old. */
export interface DataKeys {
  /** The newest data key of a tenant. Creates the first. `removed` was the newest and is no more: the store is asked again. */
  current(tenant: Tenant, removed?: DataKey): Promise<DataKey>
  /** The data key of a generation, or undefined when the store has none. */
  find(tenant: Tenant, generation: number): Promise<KeyObject | undefined>
}

export interface DataKeysOptions {
  readonly store: Pick<ContentStore, 'findDataKeys' | 'putDataKeyIfAbsent'>
  readonly rootKey: RootKey
  /** What a message calls the root key: the path of its file, the name of its KMS key. */
  readonly rootKeyName: string
  readonly randomBytes: RandomBytes
  /** How long open data keys are used; without it as long as the process lives. */
  readonly caching?: DataKeyCaching
}

/** The data keys of a tenant as they were last looked at. */
interface TenantKeys {
  readonly keys: readonly OpenedDataKey[]
  readonly recheckAt: number
}

/** Writes with the newest data key of a tenant; once more when a rotation removed the one that was the newest here. */
export async function withCurrentDataKey<T>(
  dataKeys: Pick<DataKeys, 'current'>,
  tenant: Tenant,
  write: (dataKey: DataKey) => Promise<T>,
): Promise<T> {
  const dataKey = await dataKeys.current(tenant)
  try {
    return await write(dataKey)
  } catch (error) {
    if (!(error instanceof KeyProviderError) || error.code !== 'ERR_DATA_KEY_REMOVED') throw error
    return write(await dataKeys.current(tenant, dataKey))
  }
}

const SIZE = 32

/** Finds, creates and opens data keys. Throws ERR_ROOT_KEY_FOREIGN for those that another root key wrapped. */
export function createDataKeys(options: DataKeysOptions): DataKeys {
  const { store, rootKey, rootKeyName, caching } = options
  const now = caching?.now ?? (() => 0)
  const reopen = reopenLater(caching, (stored) => openDataKey(rootKey, rootKeyName, stored))
  const known = new Map<Tenant, TenantKeys>()
  const reading = new Map<Tenant, Promise<readonly OpenedDataKey[]>>()

  /** What the store has, opened as far as it is not open already. Nothing found is not remembered. */
  const read = async (tenant: Tenant): Promise<readonly OpenedDataKey[]> => {
    const before = known.get(tenant)?.keys ?? []
    const keys = await readOr(before, async () => {
      const stored = await store.findDataKeys(tenant)
      const opened = await Promise.all(stored.map((one) => reopen(one, before)))
      return opened.sort((a, b) => a.generation - b.generation)
    })
    if (keys.length > 0) known.set(tenant, { keys, recheckAt: now() + (caching?.recheckMs ?? Infinity) })
    return keys
  }

  /** While the store is away the keys in memory go on. */
  const readOr = async (before: readonly OpenedDataKey[], work: () => Promise<readonly OpenedDataKey[]>) => {
    try {
      return await work()
    } catch (error) {
      const isAway = error instanceof KeyProviderError && error.code === 'ERR_STORE_UNAVAILABLE'
      if (isAway && before.length > 0) return before
      throw error
    }
  }

  /** One reading at a time for each tenant. */
  const readShared = (tenant: Tenant): Promise<readonly OpenedDataKey[]> => {
    const running = reading.get(tenant) ?? read(tenant).finally(() => reading.delete(tenant))
    reading.set(tenant, running)
    return running
  }

  const fresh = (tenant: Tenant): readonly OpenedDataKey[] | undefined => {
    const one = known.get(tenant)
    return one !== undefined && now() < one.recheckAt ? one.keys : undefined
  }

  const create = async (tenant: Tenant): Promise<DataKey> => {
    const standing = await createDataKey(options, tenant, 1)
    const opened = await reopen(standing, [])
    known.set(tenant, { keys: [opened], recheckAt: now() + (caching?.recheckMs ?? Infinity) })
    return opened
  }
  const creating = new Map<Tenant, Promise<DataKey>>()

  return {
    async current(tenant, removed) {
      if (removed !== undefined && fresh(tenant)?.at(-1)?.generation === removed.generation) known.delete(tenant)
      const newest = (fresh(tenant) ?? (await readShared(tenant))).at(-1)
      if (newest !== undefined) return newest
      const running = creating.get(tenant) ?? create(tenant).finally(() => creating.delete(tenant))
      creating.set(tenant, running)
      return running
    },

    async find(tenant, generation) {
      const before = fresh(tenant)
      const found = before && ofGeneration(before, generation)
      if (found !== undefined) return found
      // Another process may have added a generation since, also since a reading that is under way.
      const isShared = reading.has(tenant)
      const read = ofGeneration(await readShared(tenant), generation)
      return read ?? (isShared ? ofGeneration(await readShared(tenant), generation) : undefined)
    },
  }
}

/** Stores a new data key unless the generation is taken, and returns the one that stands. */
export async function createDataKey(
  { store, rootKey, randomBytes }: Pick<DataKeysOptions, 'store' | 'rootKey' | 'randomBytes'>,
  tenant: Tenant,
  generation: number,
): Promise<StoredDataKey> {
  const context = dataKeyContext({ tenant, generation })
  const { dataKey, wrapped } = (await rootKey.generate?.(context)) ?? (await wrapNew(rootKey, context, randomBytes))
  dataKey.fill(0)
  return store.putDataKeyIfAbsent({ tenant, generation, wrapped })
}

/** Opens a stored data key with the root key it must belong to. */
export async function openDataKey(rootKey: RootKey, rootKeyName: string, stored: StoredDataKey): Promise<DataKey> {
  const clear = await rootKey.unwrap(stored.wrapped, dataKeyContext(stored))
  if (clear === undefined) throw foreignDataKey(rootKeyName, stored)
  const key = createSecretKey(clear)
  clear.fill(0)
  return { generation: stored.generation, key }
}

/** The error of a data key that another root key wrapped. */
export function foreignDataKey(rootKeyName: string, { tenant }: StoredDataKey): KeyProviderError {
  return new KeyProviderError(
    'ERR_ROOT_KEY_FOREIGN',
    `the data key of tenant ${JSON.stringify(tenant)} was wrapped by another root key than ${rootKeyName}; ` +
      'restore the root key that belongs to this store from its backup: without it these keys cannot be opened',
  )
}

/** What a data key is wrapped with. */
export function dataKeyContext({ tenant, generation }: Pick<StoredDataKey, 'tenant' | 'generation'>) {
  return { use: 'data-key', tenant, generation: String(generation) }
}

async function wrapNew(rootKey: RootKey, context: ReturnType<typeof dataKeyContext>, randomBytes: RandomBytes) {
  const dataKey = randomBytes(SIZE)
  return { dataKey, wrapped: await rootKey.wrap(dataKey, context) }
}

function ofGeneration(keys: readonly DataKey[], generation: number): KeyObject | undefined {
  return keys.find((key) => key.generation === generation)?.key
}
