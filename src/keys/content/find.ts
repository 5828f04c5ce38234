import { inGroups } from '../../core/in-groups.ts'
import type { KeyAndIv } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import { assertIvIsNotKey, type Derivation } from '../crypto/derive.ts'
import { unseal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import { type FoundKey, type FoundKeyAndIv, kidsOf, type WantedKey, wantedId } from './content-key.ts'
import { covers, openSnapshot, overrideContext, type SealedOverride, type Snapshot } from './snapshot.ts'

const KEY_SIZE = 16

/** The keys and IVs of `wanted`; undefined if something must be read or created first. `derives` is false under the policy `random`. */
export function findAll(
  ref: ContentRef,
  snapshot: Snapshot,
  wanted: readonly WantedKey[],
  derives: boolean,
): readonly KeyAndIv[] | undefined {
  if (snapshot.covered !== undefined && !covers(snapshot, kidsOf(wanted))) return undefined
  const keys: KeyAndIv[] = []
  for (const one of wanted) {
    const keyAndIv = findOne(ref, snapshot, one, derives)
    if (keyAndIv === undefined) return undefined
    keys.push(keyAndIv)
  }
  return keys
}

/** The content key of a kid without its IV. Under the policy `random`, this is also the key that a first request would store. */
export function findKey(ref: ContentRef, snapshot: Snapshot, wanted: WantedKey): FoundKey | undefined {
  const override = findOverride(snapshot, wanted)
  if (override !== undefined) {
    return { contentKey: unsealOverride(ref, override).subarray(0, KEY_SIZE), source: 'override' }
  }
  const contentKey = snapshot.derivation?.contentKey(wanted.contentKeyClass, wanted.kid)
  return contentKey && { contentKey, source: 'derived' }
}

/** The content key of a kid with its IV. */
export function findKeyAndIv(ref: ContentRef, snapshot: Snapshot, wanted: WantedKey): FoundKeyAndIv | undefined {
  const { derivation } = snapshot
  const override = findOverride(snapshot, wanted)
  if (override !== undefined) return { ...openOverride(ref, override, derivation), source: 'override' }
  if (derivation === undefined) return undefined
  const { contentKey, explicitIv } = derivation.keyAndIv(wanted.contentKeyClass, wanted.kid)
  return { contentKey, explicitIv, source: 'derived' }
}

/** Opens the key of an override. An override without an IV gets the IV derived from the content secret, or undefined without one. */
export function openOverride(
  ref: ContentRef,
  override: SealedOverride,
  derivation: Derivation | undefined,
): { readonly contentKey: Uint8Array; readonly explicitIv: Uint8Array | undefined } {
  const { contentKeyClass, kid } = override
  const clear = unsealOverride(ref, override)
  const contentKey = clear.subarray(0, KEY_SIZE)
  const explicitIv = clear.length > KEY_SIZE ? clear.subarray(KEY_SIZE) : derivation?.explicitIv(contentKeyClass, kid)
  if (explicitIv !== undefined) assertIvIsNotKey({ contentKey, explicitIv })
  return { contentKey, explicitIv }
}

function findOne(ref: ContentRef, snapshot: Snapshot, wanted: WantedKey, derives: boolean): KeyAndIv | undefined {
  const override = snapshot.overrides.size > 0 ? snapshot.overrides.get(wantedId(wanted)) : undefined
  if (override === undefined) {
    return derives ? snapshot.derivation?.keyAndIv(wanted.contentKeyClass, wanted.kid) : undefined
  }
  const { contentKey, explicitIv } = openOverride(ref, override, snapshot.derivation)
  return explicitIv === undefined ? undefined : { contentKey, explicitIv }
}

function findOverride(snapshot: Snapshot, wanted: WantedKey): SealedOverride | undefined {
  if (!covers(snapshot, [wanted.kid])) throw new TypeError('find: expected a kid that was passed to open')
  return snapshot.overrides.get(wantedId(wanted))
}

/** `key ‖ IV` or `key`. */
function unsealOverride(ref: ContentRef, override: SealedOverride): Uint8Array {
  return unseal(override.dataKey, overrideContext(ref, override), override.sealed)
}

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
