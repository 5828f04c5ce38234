import { inGroups } from '../../core/in-groups.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import { type WantedKey, wantedId } from './content-key.ts'
import { openOverride } from './find.ts'
import { openSnapshot } from './snapshot.ts'

/** A stored key. An override can have no IV. */
export interface CurrentKey {
  readonly contentKey: Uint8Array
  readonly explicitIv: Uint8Array | undefined
}

/**
 * Reads keys from the store, in the order of `wanted`; undefined if nothing stored gives a key. Content keys in memory can be
 * some seconds old, which is good enough for SPEKE answers. A document or an export must not hold a replaced key.
 */
export async function currentKeys(
  { store, dataKeys }: { readonly store: Pick<ContentStore, 'findContent'>; readonly dataKeys: DataKeys },
  ref: ContentRef,
  wanted: readonly WantedKey[],
): Promise<readonly (CurrentKey | undefined)[]> {
  const kids = wanted.map(({ kid }) => kid)
  const stored = await store.findContent(ref, kids)
  if (stored === undefined) return wanted.map(() => undefined)
  const { overrides, derivation } = await openSnapshot(dataKeys, ref, stored, kids, undefined)
  return inGroups(wanted, (one) => {
    const override = overrides.get(wantedId(one))
    if (override !== undefined) return openOverride(ref, override, derivation)
    return derivation?.keyAndIv(one.contentKeyClass, one.kid)
  })
}
