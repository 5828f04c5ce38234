import { timingSafeEqual } from 'node:crypto'
import { inGroups } from '../../core/in-groups.ts'
import { type OpenContent, wantedId } from '../../keys/content/content-key.ts'
import { openOverride } from '../../keys/content/find.ts'
import { openSnapshot, type Snapshot } from '../../keys/content/snapshot.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import type { StoredOverride } from '../../keys/ports/content-store.ts'
import { isIssuedUnstored } from '../contents/override-keys.ts'
import type { Management } from '../management.ts'
import type { ImportedKey } from './draft.ts'

/** The result of an imported key: stored, already stored, or rejected because it would change an issued key. */
export type ImportStatus = 'stored' | 'same' | 'refused'

export interface PlannedKey extends ImportedKey {
  readonly status: ImportStatus
  /** Why it is rejected; undefined unless it is. */
  readonly refusal: string | undefined
  /** The override that it replaces. */
  readonly current: StoredOverride | undefined
}

/** The import of one content. */
export interface ContentImportPlan {
  readonly ref: ContentRef
  readonly keys: readonly PlannedKey[]
  /** Whether the content had a secret when this was planned. */
  readonly hasSecret: boolean
  /** Whether it was destroyed: then every key is rejected. */
  readonly isGone: boolean
}

type Sources = Pick<Management, 'store' | 'dataKeys' | 'contentKeys'>

/** Compares every key with the stored keys. Changes nothing. */
export async function planImport(
  sources: Sources,
  tenant: Tenant,
  keys: readonly ImportedKey[],
  force: boolean,
): Promise<readonly ContentImportPlan[]> {
  const byContent = [...Map.groupBy(keys, (key) => key.contentId)]
  return inGroups(byContent, ([contentId, own]) => planContent(sources, { tenant, contentId }, own, force))
}

async function planContent(
  { store, dataKeys, contentKeys }: Sources,
  ref: ContentRef,
  keys: readonly ImportedKey[],
  force: boolean,
): Promise<ContentImportPlan> {
  const kids = [...new Set(keys.map(({ kid }) => kid))]
  const stored = await store.findContent(ref, kids)
  const hasSecret = stored?.sealedSecret !== undefined
  if (stored?.tombstone !== undefined) {
    const gone = { status: 'refused', refusal: 'the content was destroyed and never gets keys again' } as const
    return { ref, hasSecret, isGone: true, keys: keys.map((key) => ({ ...key, ...gone, current: undefined })) }
  }
  const snapshot = stored && (await openSnapshot(dataKeys, ref, stored, kids, undefined))
  // A content whose secret is derived has keys although nothing is stored.
  const open = hasSecret ? undefined : await contentKeys.open(ref, kids)
  const isIssued = hasSecret || (!force && (await isIssuedUnstored({ store, contentKeys }, ref)))
  return { ref, hasSecret, isGone: false, keys: keys.map((key) => planKey(key, ref, snapshot, open, isIssued, force)) }
}

function planKey(
  key: ImportedKey,
  ref: ContentRef,
  snapshot: Snapshot | undefined,
  open: OpenContent | undefined,
  isIssued: boolean,
  force: boolean,
): PlannedKey {
  const override = snapshot?.overrides.get(wantedId(key))
  if (override !== undefined) {
    const stored = openOverride(ref, override, snapshot?.derivation)
    if (isSame(key, stored)) return { ...key, status: 'same', refusal: undefined, current: override }
    const refusal = force ? undefined : `another ${key.contentKeyClass} override is stored for this kid`
    return { ...key, status: force ? 'stored' : 'refused', refusal, current: override }
  }
  const derived = snapshot?.derivation?.keyAndIv(key.contentKeyClass, key.kid) ?? open?.findWithIv(key)
  const planned = { ...key, current: undefined }
  if (derived !== undefined && isSame(key, derived)) return { ...planned, status: 'same', refusal: undefined }
  if (!isIssued || force) return { ...planned, status: 'stored', refusal: undefined }
  return { ...planned, status: 'refused', refusal: 'the content has issued keys, and another key for this kid' }
}

/** An import without an IV does not change the stored IV. */
function isSame(
  { key, iv }: ImportedKey,
  current: { readonly contentKey: Uint8Array; readonly explicitIv: Uint8Array | undefined },
): boolean {
  if (!timingSafeEqual(key, current.contentKey)) return false
  return iv === undefined || (current.explicitIv !== undefined && timingSafeEqual(iv, current.explicitIv))
}
