import type { ContentRef, Tenant } from './content-ref.ts'
import type { ContentLife, StoredOverride } from './content-store.ts'
import type { StoredDataKey } from './data-key-store.ts'

/** A sealed value and its replacement: the same value, sealed with another data key. */
export interface Reseal extends ContentRef {
  /** The override that holds the value; undefined for the content secret. */
  readonly override: Pick<StoredOverride, 'contentKeyClass' | 'kid'> | undefined
  readonly before: Uint8Array
  readonly after: Uint8Array
}

/** The number of sealed values of one data key. */
export interface SealCount {
  readonly tenant: Tenant
  readonly generation: number
  readonly rows: number
}

/** What operators do to a whole store: copy, rotate, count. The contract tests are `test/adapters/store/maintenance-contract.ts`. */
export interface StoreMaintenance {
  /** At most `limit` stored contents after `after`. The store defines the order. */
  listContents(after: ContentRef | undefined, limit: number): Promise<readonly ContentRef[]>

  /** The data keys of every tenant, all generations. */
  listDataKeys(): Promise<readonly StoredDataKey[]>

  /** Replaces the wrapped form of a data key if `before` is stored; otherwise returns false. */
  rewrapDataKey(dataKey: StoredDataKey, before: Uint8Array): Promise<boolean>

  /**
   * Deletes a data key that no sealed value uses; otherwise returns false. A later write with that data key fails with
   * ERR_DATA_KEY_REMOVED.
   */
  removeDataKey(tenant: Tenant, generation: number): Promise<boolean>

  /** Replaces each sealed value whose `before` is stored. Returns the number of replaced values. */
  reseal(values: readonly Reseal[]): Promise<number>

  /** The number of sealed values per data key. Data keys without sealed values have 0. */
  countSeals(): Promise<readonly SealCount[]>

  /** Sets the life of a stored content to that of the same content in another store. Does nothing if the content is not stored. */
  putLife(ref: ContentRef, life: ContentLife): Promise<void>
}
