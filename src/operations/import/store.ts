import { KeyProviderError } from '../../core/errors.ts'
import { wantedId } from '../../keys/content/content-key.ts'
import { birthOf } from '../../keys/content/lifetime.ts'
import { overrideContext, sameBytes } from '../../keys/content/snapshot.ts'
import { withCurrentDataKey } from '../../keys/crypto/data-keys.ts'
import { type DataKey, seal } from '../../keys/crypto/seal.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { StoredContent, StoredOverride } from '../../keys/ports/content-store.ts'
import type { Management } from '../management.ts'
import type { ContentImportPlan, PlannedKey } from './plan.ts'

/** Stores the planned keys of one content, in one write unless some replace others. Throws ERR_OVERRIDE_EXISTS for a race it lost. */
export async function storePlanned(management: Management, plan: ContentImportPlan): Promise<void> {
  const planned = plan.keys.filter(({ status }) => status === 'stored')
  if (planned.length === 0) return
  await withCurrentDataKey(management.dataKeys, plan.ref.tenant, (dataKey) =>
    storeWith(management, plan, planned, dataKey),
  )
}

async function storeWith(
  management: Management,
  { ref, hasSecret }: ContentImportPlan,
  planned: readonly PlannedKey[],
  dataKey: DataKey,
): Promise<void> {
  const { store, retention, now } = management
  const birth = birthOf(retention(ref), now())
  const overrides = planned.map((key) => sealKey(management, ref, key, dataKey))
  const added = overrides.filter((_, i) => planned[i]?.standing === undefined)
  if (added.length > 0) {
    const standing = await store.putOverridesIfAbsent(ref, added, birth, { unlessSecret: !hasSecret })
    await refuseLost(management, ref, added, standing)
  }
  for (const [i, override] of overrides.entries()) {
    if (planned[i]?.standing !== undefined) await store.replaceOverride(ref, override, birth)
  }
}

function sealKey({ randomBytes }: Management, ref: ContentRef, key: PlannedKey, dataKey: DataKey): StoredOverride {
  const { contentKeyClass, kid, standing } = key
  const clear = Buffer.concat([key.key, key.iv ?? Buffer.of()])
  try {
    const sealed = seal(dataKey, overrideContext(ref, key), clear, randomBytes)
    return { contentKeyClass, kid, sealed, pssh: standing?.pssh ?? {} }
  } finally {
    clear.fill(0)
  }
}

/**
 * Between the plan and the write the first request of the content may have come: then nothing was stored. Or another process may
 * have stored overrides for some of the kids: then those of the others are taken back.
 */
async function refuseLost(
  { store }: Management,
  ref: ContentRef,
  added: readonly StoredOverride[],
  standing: StoredContent,
): Promise<void> {
  if (standing.tombstone !== undefined) {
    throw new KeyProviderError(
      'ERR_CONTENT_GONE',
      `content ${JSON.stringify(ref.contentId)} was destroyed: it never gets keys again`,
    )
  }
  const byId = new Map(standing.overrides.map((override) => [wantedId(override), override.sealed]))
  const ours = added.filter((override) => sameBytes(byId.get(wantedId(override)), override.sealed))
  if (ours.length === added.length) return
  for (const { contentKeyClass, kid } of ours) await store.removeOverride(ref, contentKeyClass, kid)
  throw new KeyProviderError(
    'ERR_OVERRIDE_EXISTS',
    `content ${JSON.stringify(ref.contentId)} was given keys at this moment; its import was taken back, contents before it stand: look at what is there and import again`,
  )
}
