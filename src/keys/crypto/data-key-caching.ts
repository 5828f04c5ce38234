import { KeyProviderError } from '../../core/errors.ts'
import type { Tenant } from '../ports/content-ref.ts'
import type { StoredDataKey } from '../ports/data-key-store.ts'
import type { DataKey } from './seal.ts'

/** How long open data keys are used before the store and the root key are asked again. */
export interface DataKeyCaching {
  /** Milliseconds, of a clock that does not go back. */
  readonly now: () => number
  /** The store is asked for new generations. */
  readonly recheckMs: number
  /** The root key must open a data key again. */
  readonly ttlMs: number
  /** So long a data key is used although the root key cannot be reached. */
  readonly maxStaleMs: number
  /** Told each time a data key is used that the root key could not confirm. */
  readonly onStale: (error: KeyProviderError, tenant: Tenant, ageMs: number) => void
}

/** A data key, and when which wrapping of it was opened. */
export interface OpenedDataKey extends DataKey {
  readonly wrapping: string
  readonly openedAt: number
}

/** A tenth either way, so that the data keys of many tenants and nodes do not all grow old at one moment. */
const JITTER = 0.1

/** Opens a stored data key, or takes the one of `before` while it is young enough. */
export function reopenLater(
  caching: DataKeyCaching | undefined,
  open: (stored: StoredDataKey) => Promise<DataKey>,
): (stored: StoredDataKey, before: readonly OpenedDataKey[]) => Promise<OpenedDataKey> {
  const { now, ttlMs, maxStaleMs, onStale } = caching ?? FOR_EVER
  return async (stored, before) => {
    const wrapping = Buffer.from(stored.wrapped).toString('latin1')
    const known = before.find(({ generation }) => generation === stored.generation)
    const age = known === undefined ? 0 : now() - known.openedAt
    if (known?.wrapping === wrapping && age < ttlMs * (1 + JITTER * jitterOf(wrapping))) return known
    try {
      return { ...(await open(stored)), wrapping, openedAt: now() }
    } catch (error) {
      const isAway = error instanceof KeyProviderError && error.code === 'ERR_ROOT_KEY_UNAVAILABLE'
      // A generation is one data key for ever, however it is wrapped.
      if (!isAway || known === undefined || age >= maxStaleMs) throw error
      onStale(error, stored.tenant, age)
      return known
    }
  }
}

/** From -1 to 1, by the last byte of the wrapping, which is as good as random. */
function jitterOf(wrapping: string): number {
  return wrapping.charCodeAt(wrapping.length - 1) / 127.5 - 1
}

const FOR_EVER: DataKeyCaching = {
  now: () => 0,
  recheckMs: Infinity,
  ttlMs: Infinity,
  maxStaleMs: Infinity,
  onStale: () => {},
}
