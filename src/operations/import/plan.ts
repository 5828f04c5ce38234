import { timingSafeEqual } from 'node:crypto'
import type { KeyProviderError } from '../../core/errors.ts'
import { inGroups } from '../../core/in-groups.ts'
import { type OpenContent, wantedId } from '../../keys/content/content-key.ts'
import { contentGone, overrideExists } from '../../keys/content/errors.ts'
import { openOverride } from '../../keys/content/find.ts'
import { birthOf } from '../../keys/content/lifetime.ts'
import { openSnapshot, overrideContext, type Snapshot, sameBytes } from '../../keys/content/snapshot.ts'
import { withCurrentDataKey } from '../../keys/crypto/data-keys.ts'
import { type DataKey, seal } from '../../keys/crypto/seal.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import type { Birth, StoredContent, StoredOverride } from '../../keys/ports/content-store.ts'
import { isIssuedUnstored } from '../contents/override-keys.ts'
import type { Management } from '../management.ts'
import type { ImportedKey } from './draft.ts'

/** The result of an imported key: stored, already stored, or rejected because it would change an issued key. */
export type ImportStatus = 'stored' | 'same' | 'refused'

interface PlannedKey extends ImportedKey {
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

/** Stores the planned keys of one content, in one write unless some replace others. Throws ERR_OVERRIDE_EXISTS for a lost race. */
export async function storePlanned(management: Management, plan: ContentImportPlan): Promise<void> {
  const { ref, hasSecret } = plan
  const planned = plannedOf(plan)
  if (planned.length === 0) return
  await withSealed(management, plan, async (overrides, birth) => {
    const { store } = management
    const added = overrides.filter((_, i) => planned[i]?.current === undefined)
    if (added.length > 0) {
      const stored = await store.putOverridesIfAbsent(ref, added, birth, { unlessSecret: !hasSecret })
      await refuseLost(management, ref, added, stored)
    }
    for (const [i, override] of overrides.entries()) {
      if (planned[i]?.current !== undefined) await store.replaceOverride(ref, override, birth)
    }
  })
}

/** Calls `write` with the planned keys, sealed with the current data key; again if a rotation removed that data key. */
export async function withSealed<T>(
  management: Management,
  plan: ContentImportPlan,
  write: (overrides: readonly StoredOverride[], birth: Birth) => Promise<T>,
): Promise<T> {
  const { retention, now, dataKeys } = management
  return withCurrentDataKey(dataKeys, plan.ref.tenant, (dataKey) => {
    const overrides = plannedOf(plan).map((key) => sealKey(management, plan.ref, key, dataKey))
    return write(overrides, birthOf(retention(plan.ref), now()))
  })
}

/** The error of an import that lost a race against other keys for the same content. */
export function takenMeanwhile(ref: ContentRef): KeyProviderError {
  return overrideExists(
    ref,
    'the content received other keys during the import, so none of its keys were stored',
    'List its keys and import again.',
  )
}

function plannedOf({ keys }: ContentImportPlan): readonly PlannedKey[] {
  return keys.filter(({ status }) => status === 'stored')
}

function sealKey({ randomBytes }: Management, ref: ContentRef, key: PlannedKey, dataKey: DataKey): StoredOverride {
  const { contentKeyClass, kid, current } = key
  const clear = Buffer.concat([key.key, key.iv ?? Buffer.of()])
  try {
    const sealed = seal(dataKey, overrideContext(ref, key), clear, randomBytes)
    return { contentKeyClass, kid, sealed, pssh: current?.pssh ?? {} }
  } finally {
    clear.fill(0)
  }
}

/**
 * Between the plan and the write, the first request of the content may have arrived: then nothing was stored. Or another
 * process may have stored overrides for some of the kids: then this removes the overrides that were stored.
 */
async function refuseLost(
  { store }: Management,
  ref: ContentRef,
  added: readonly StoredOverride[],
  stored: StoredContent,
): Promise<void> {
  if (stored.tombstone !== undefined) throw contentGone(ref, stored.tombstone.at)
  const byId = new Map(stored.overrides.map((override) => [wantedId(override), override.sealed]))
  const ours = added.filter((override) => sameBytes(byId.get(wantedId(override)), override.sealed))
  if (ours.length === added.length) return
  for (const { contentKeyClass, kid } of ours) await store.removeOverride(ref, contentKeyClass, kid)
  throw takenMeanwhile(ref)
}
