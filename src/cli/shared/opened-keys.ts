import { randomBytes } from 'node:crypto'
import { type OpenKeys, openKeys } from '../../keys/crypto/open-keys.ts'
import { openStore, type Store } from '../../server/assemble/open-store.ts'
import type { Config } from '../../server/config/config.ts'

/** The store of a configuration and what opens its keys. */
export interface OpenKeyRing extends Pick<OpenKeys, 'rootKey' | 'dataKeys'> {
  readonly store: Store
  readonly rootKeyName: string
}

/** Lends the store of a configuration with its keys. Neither is made where there is none. */
export async function withOpenedKeys<T>(config: Config, use: (opened: OpenKeyRing) => Promise<T>): Promise<T> {
  const { store, openRootKey, rootKeyName } = await openStore(config, { create: false })
  try {
    const standing = () => openRootKey(false)
    const { rootKey, dataKeys } = await openKeys({ store, openRootKey: standing, rootKeyName, randomBytes })
    try {
      return await use({ store, rootKey, dataKeys, rootKeyName })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
}
