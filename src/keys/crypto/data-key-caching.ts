import { KeyProviderError } from '../../core/errors.ts'
import type { Tenant } from '../ports/content-ref.ts'
import type { StoredDataKey } from '../ports/data-key-store.ts'
import type { DataKey } from './seal.ts'

/** How long open data keys are used before the store and the root key are asked again. */
export interface DataKeyCaching {
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
export interface OpenedDataKey extends DataKey {
  readonly wrapping: string
  readonly openedAt: number
}

/** A tenth more or less, so that the data keys of many tenants and nodes do not expire at the same time. */
const JITTER = 0.1

/** Opens stored data keys again when they are too old. */
export class DataKeyReopening {
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
