import type { KeyProviderError } from '../../core/errors.ts'
import { wantedId } from '../../keys/content/content-key.ts'
import { contentGone, overrideExists } from '../../keys/content/errors.ts'
import { birthOf } from '../../keys/content/lifetime.ts'
import { overrideContext, sameBytes } from '../../keys/content/snapshot.ts'
import { withCurrentDataKey } from '../../keys/crypto/data-keys.ts'
import { type DataKey, seal } from '../../keys/crypto/seal.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { Birth, StoredContent, StoredOverride } from '../../keys/ports/content-store.ts'
import type { Management } from '../management.ts'
import type { ContentImportPlan, PlannedKey } from './plan.ts'

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
