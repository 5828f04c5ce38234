import { createSecretKey, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { Tenant } from '../ports/content-ref.ts'
import type { DataKeyStore, StoredDataKey } from '../ports/data-key-store.ts'
import type { RootKey } from '../ports/root-key.ts'
import type { DataKey, RandomBytes } from './seal.ts'

/** The open data keys of every tenant. */
export interface DataKeys {
  /**
   * The newest data key of a tenant. Creates the first one. Pass `removed` to read the store again after a rotation removed that
   * data key.
   */
  current(tenant: Tenant, removed?: DataKey): Promise<DataKey>
  /** The data key of a generation; undefined if the store has none. */
  find(tenant: Tenant, generation: number): Promise<KeyObject | undefined>
}

interface DataKeysOptions {
  readonly store: Pick<DataKeyStore, 'findDataKeys' | 'putDataKeyIfAbsent'>
  readonly rootKey: RootKey
  /** The name of the root key in messages: the path of its file, or the name of its KMS key. */
  readonly rootKeyName: string
  readonly randomBytes: RandomBytes
  /** How long open data keys are used. Default: while the process runs. */
  readonly caching?: DataKeyCaching
}

/** The data keys of a tenant, and when to read the store again. */
interface TenantKeys {
  readonly keys: readonly OpenedDataKey[]
  readonly recheckAt: number
}

/** Calls `write` with the newest data key of a tenant. Retries once if a rotation removed that data key. */
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

/** Finds, creates and opens data keys, and keeps them in memory. Throws ERR_ROOT_KEY_FOREIGN for those of another root key. */
export class DataKeyRing implements DataKeys {
  readonly #options: DataKeysOptions
  readonly #reopening: DataKeyReopening
  readonly #known = new Map<Tenant, TenantKeys>()
  readonly #reading = new Map<Tenant, Promise<readonly OpenedDataKey[]>>()
  readonly #creating = new Map<Tenant, Promise<DataKey>>()

  constructor(options: DataKeysOptions) {
    const { rootKey, rootKeyName, caching } = options
    this.#options = options
    this.#reopening = new DataKeyReopening(caching, (stored) => openDataKey(rootKey, rootKeyName, stored))
  }

  async current(tenant: Tenant, removed?: DataKey): Promise<DataKey> {
    if (removed !== undefined && this.#fresh(tenant)?.at(-1)?.generation === removed.generation) {
      this.#known.delete(tenant)
    }
    const newest = (this.#fresh(tenant) ?? (await this.#readShared(tenant))).at(-1)
    if (newest !== undefined) return newest
    const running = this.#creating.get(tenant) ?? this.#create(tenant).finally(() => this.#creating.delete(tenant))
    this.#creating.set(tenant, running)
    return running
  }

  async find(tenant: Tenant, generation: number): Promise<KeyObject | undefined> {
    const before = this.#fresh(tenant)
    const found = before && ofGeneration(before, generation)
    if (found !== undefined) return found
    // Another process may have added the generation meanwhile, even after the start of a running read.
    const isShared = this.#reading.has(tenant)
    const read = ofGeneration(await this.#readShared(tenant), generation)
    return read ?? (isShared ? ofGeneration(await this.#readShared(tenant), generation) : undefined)
  }

  #fresh(tenant: Tenant): readonly OpenedDataKey[] | undefined {
    const known = this.#known.get(tenant)
    return known !== undefined && this.#now() < known.recheckAt ? known.keys : undefined
  }

  /** One read at a time for each tenant. */
  #readShared(tenant: Tenant): Promise<readonly OpenedDataKey[]> {
    const running = this.#reading.get(tenant) ?? this.#read(tenant).finally(() => this.#reading.delete(tenant))
    this.#reading.set(tenant, running)
    return running
  }

  /** While the store is unavailable, the keys in memory stay in use. An empty result is not kept. */
  async #read(tenant: Tenant): Promise<readonly OpenedDataKey[]> {
    const before = this.#known.get(tenant)?.keys ?? []
    let keys = before
    try {
      const stored = await this.#options.store.findDataKeys(tenant)
      const opened = await Promise.all(stored.map((one) => this.#reopening.reopen(one, before)))
      keys = opened.sort((a, b) => a.generation - b.generation)
    } catch (error) {
      const isUnavailable = error instanceof KeyProviderError && error.code === 'ERR_STORE_UNAVAILABLE'
      if (!isUnavailable || before.length === 0) throw error
    }
    if (keys.length > 0) this.#keep(tenant, keys)
    return keys
  }

  async #create(tenant: Tenant): Promise<DataKey> {
    const stored = await createDataKey(this.#options, tenant, 1)
    const opened = await this.#reopening.reopen(stored, [])
    this.#keep(tenant, [opened])
    return opened
  }

  #keep(tenant: Tenant, keys: readonly OpenedDataKey[]): void {
    const recheckMs = this.#options.caching?.recheckMs ?? Number.POSITIVE_INFINITY
    this.#known.set(tenant, { keys, recheckAt: this.#now() + recheckMs })
  }

  #now(): number {
    return this.#options.caching?.now() ?? 0
  }
}

/** Stores a new data key unless the generation is taken. Returns the stored one, which may be another process's. */
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

/** Opens a stored data key. Throws ERR_ROOT_KEY_FOREIGN if another root key wrapped it. */
async function openDataKey(rootKey: RootKey, rootKeyName: string, stored: StoredDataKey): Promise<DataKey> {
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
    `the data key of tenant ${JSON.stringify(tenant)} was wrapped by another root key than ${rootKeyName}. ` +
      'Restore the root key of this store from its backup. Without it, the keys of this store cannot be opened.',
  )
}

/** The context that a data key is wrapped with. */
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

/** How long open data keys are used before the store and the root key are asked again. */
interface DataKeyCaching {
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** After this time in milliseconds, the store is asked for new generations. */
  readonly recheckMs: number
  /** After this time in milliseconds, the root key must open a data key again. */
  readonly ttlMs: number
  /** While the root key is unavailable, an open data key is used for this time in milliseconds. */
  readonly maxStaleMs: number
  /** Called each time a data key is used without confirmation by the root key. */
  readonly onStale: (error: KeyProviderError, tenant: Tenant, ageMs: number) => void
}

/** An open data key, and when which wrapped form of it was opened. */
interface OpenedDataKey extends DataKey {
  readonly wrapping: string
  readonly openedAt: number
}

/** A tenth more or less, so that the data keys of many tenants and nodes do not expire at the same time. */
const JITTER = 0.1

/** Opens stored data keys again when they are too old. */
class DataKeyReopening {
  readonly #caching: DataKeyCaching
  readonly #open: (stored: StoredDataKey) => Promise<DataKey>

  constructor(caching: DataKeyCaching | undefined, open: (stored: StoredDataKey) => Promise<DataKey>) {
    this.#caching = caching ?? WHILE_THE_PROCESS_RUNS
    this.#open = open
  }

  /** The data key of `before` if it is young enough; otherwise opens `stored`. */
  async reopen(stored: StoredDataKey, before: readonly OpenedDataKey[]): Promise<OpenedDataKey> {
    const { now, ttlMs, maxStaleMs, onStale } = this.#caching
    const wrapping = Buffer.from(stored.wrapped).toString('latin1')
    const known = before.find(({ generation }) => generation === stored.generation)
    const age = known === undefined ? 0 : now() - known.openedAt
    if (known?.wrapping === wrapping && age < ttlMs * (1 + JITTER * jitterOf(wrapping))) return known
    try {
      return { ...(await this.#open(stored)), wrapping, openedAt: now() }
    } catch (error) {
      const isUnavailable = error instanceof KeyProviderError && error.code === 'ERR_ROOT_KEY_UNAVAILABLE'
      // A generation is always the same data key, whatever wraps it.
      if (!isUnavailable || known === undefined || age >= maxStaleMs) throw error
      onStale(error, stored.tenant, age)
      return known
    }
  }
}

/** From -1 to 1, by the last byte of the wrapped form, which is as good as random. */
function jitterOf(wrapping: string): number {
  return wrapping.charCodeAt(wrapping.length - 1) / 127.5 - 1
}

const WHILE_THE_PROCESS_RUNS: DataKeyCaching = {
  now: () => 0,
  recheckMs: Infinity,
  ttlMs: Infinity,
  maxStaleMs: Infinity,
  onStale: () => {},
}

export interface OpenKeysOptions extends Omit<DataKeysOptions, 'store' | 'rootKey'> {
  readonly store: DataKeyStore
  /** Opens the root key. May create it only if `create` is true: the store has no data keys yet. */
  readonly openRootKey: (create: boolean) => Promise<{ readonly rootKey: RootKey; readonly created: boolean }>
}

/** A root key that opens the data keys of its store. */
export interface OpenKeys {
  readonly rootKey: RootKey
  readonly dataKeys: DataKeys
  /** Whether the root key was created now. Its owner must back it up. */
  readonly created: boolean
}

/**
 * Opens the keys of a store at start. Throws ERR_ROOT_KEY_MISSING if a store with data keys has no root key: it never creates
 * another one. Throws ERR_ROOT_KEY_FOREIGN if the root key does not open a tenant's data keys.
 */
export async function openKeys({ openRootKey, ...options }: OpenKeysOptions): Promise<OpenKeys> {
  const sample = await options.store.sampleDataKeys()
  const { rootKey, created } = await openRootKey(sample.length === 0)
  try {
    for (const stored of sample) await openDataKey(rootKey, options.rootKeyName, stored)
  } catch (error) {
    await rootKey.close()
    throw error
  }
  return { rootKey, created, dataKeys: new DataKeyRing({ ...options, rootKey }) }
}
