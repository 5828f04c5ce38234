import type { WantedKey } from '../../keys/content/content-key.ts'
import { wantedId } from '../../keys/content/content-key.ts'
import { openOverride } from '../../keys/content/find.ts'
import { openSnapshot } from '../../keys/content/snapshot.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { inGroups } from '../in-groups.ts'
import type { Management } from '../management.ts'

/** A key as it stands in the store; an override may have no IV. */
export interface OpenedStoredKey {
  readonly contentKey: Uint8Array
  readonly explicitIv: Uint8Array | undefined
}

/**
 * The keys as they are stored now, in the order they are wanted; undefined for one that nothing stored gives. What is in memory may
 * be some seconds old, which is what SPEKE answers live with; a document that is kept must not hold a key that was replaced.
 */
export async function standingKeys(
  { store, dataKeys }: Pick<Management, 'store' | 'dataKeys'>,
  ref: ContentRef,
  wanted: readonly WantedKey[],
): Promise<readonly (OpenedStoredKey | undefined)[]> {
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
