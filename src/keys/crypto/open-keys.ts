import type { ContentStore } from '../ports/content-store.ts'
import type { RootKey } from '../ports/root-key.ts'
import type { DataKeyCaching } from './data-key-caching.ts'
import { createDataKeys, type DataKeys, openDataKey } from './data-keys.ts'
import type { RandomBytes } from './seal.ts'

export interface OpenKeysOptions {
  readonly store: Pick<ContentStore, 'findDataKeys' | 'putDataKeyIfAbsent' | 'sampleDataKeys'>
  /** Opens the root key. It may be created only when `create` is true: for a store that holds no data keys yet. */
  readonly openRootKey: (create: boolean) => Promise<{ readonly rootKey: RootKey; readonly created: boolean }>
  /** What a message calls the root key: the path of its file, the name of its KMS key. */
  readonly rootKeyName: string
  readonly randomBytes: RandomBytes
  /** How long open data keys are used; without it as long as the process lives. */
  readonly caching?: DataKeyCaching
}

/** A root key that was seen to belong to its store. */
export interface OpenKeys {
  readonly rootKey: RootKey
  readonly dataKeys: DataKeys
  /** Whether the root key was created just now: its owner must be told to back it up. */
  readonly created: boolean
}

/**
 * Opens the keys of a store at start. A lost root key is a refusal (ERR_ROOT_KEY_MISSING), never a new one, and a root key that
 * does not own a tenant's data keys is ERR_ROOT_KEY_FOREIGN.
 */
export async function openKeys(options: OpenKeysOptions): Promise<OpenKeys> {
  const { store, openRootKey, rootKeyName, randomBytes, caching } = options
  const sample = await store.sampleDataKeys()
  const { rootKey, created } = await openRootKey(sample.length === 0)
  try {
    for (const stored of sample) await openDataKey(rootKey, rootKeyName, stored)
  } catch (error) {
    await rootKey.close()
    throw error
  }
  return {
    rootKey,
    created,
    dataKeys: createDataKeys({ store, rootKey, rootKeyName, randomBytes, ...(caching && { caching }) }),
  }
}
