import type { DataKeyStore } from '../ports/data-key-store.ts'
import type { RootKey } from '../ports/root-key.ts'
import { DataKeyRing, type DataKeys, type DataKeysOptions, openDataKey } from './data-keys.ts'

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
