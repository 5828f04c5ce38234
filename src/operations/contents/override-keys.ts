import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { WantedKey } from '../../keys/content/content-key.ts'
import { overrideExists } from '../../keys/content/errors.ts'
import {
  addKidOverride,
  addOverride,
  type Force,
  listKidOverrides,
  listOverrides,
  type NewOverride,
  removeKidOverride,
  removeOverride,
} from '../../keys/content/overrides.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { KidOverride } from '../../keys/ports/content-store.ts'
import type { Answered } from '../answers/fields.ts'
import type { CONTENT_OVERRIDES } from '../answers/overrides.ts'
import { audited } from '../audit/audited.ts'
import type { Management, Operator } from '../management.ts'

/** A key for one kid of a content. */
type OverrideKey = Omit<NewOverride, 'ref'> & { readonly contentId: string }

/** The name of an override. */
interface OverrideName extends Force {
  readonly contentId: string
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
}

/** The name of a kid override. */
interface OverrideRuleName extends Force {
  readonly contentId: string
  readonly rule: Omit<KidOverride, 'kid'>
}

/** The overrides and rules of a content, without keys. */
export type ContentOverrides = Answered<typeof CONTENT_OVERRIDES>

/** Stores a key for one kid. Throws ERR_OVERRIDE_EXISTS if keys may have been issued, unless the change is forced with a reason. */
export function overrideKey(management: Management, operator: Operator, added: OverrideKey): Promise<void> {
  const { contentId, contentKeyClass, kid, force, reason } = added
  const operation = {
    action: 'override.add',
    contentId,
    contentKeyClass,
    kids: [kid],
    keys: 1,
    forced: force,
    reason,
  } as const
  return audited(management, operator, operation, async () => {
    const ref = { tenant: operator.tenant, contentId }
    await refuseIssuedUnstored(management, ref, added)
    await addOverride(management, { ...added, ref })
    management.emit({
      type: 'key.imported',
      tenant: operator.tenant,
      contentId,
      at: management.now(),
      data: { keys: 1, forced: force === true },
    })
    return { result: undefined }
  })
}

/** Removes a key for one kid. Returns false if none was stored. The change must be forced, with a reason. */
export function removeOverrideKey(management: Management, operator: Operator, removed: OverrideName): Promise<boolean> {
  const { contentId, contentKeyClass, kid, force, reason } = removed
  const operation = {
    action: 'override.remove',
    contentId,
    contentKeyClass,
    kids: [kid],
    forced: force,
    reason,
  } as const
  return audited(management, operator, operation, async () => ({
    result: await removeOverride(management, { ...removed, ref: { tenant: operator.tenant, contentId } }),
  }))
}

/** Stores a kid override: a rule that gives matching content keys another kid. Throws as `overrideKey` does. */
export function addOverrideRule(
  management: Management,
  operator: Operator,
  { contentId, rule, ...force }: Force & { readonly contentId: string; readonly rule: KidOverride },
): Promise<void> {
  const operation = {
    action: 'override.add',
    contentId,
    kids: [rule.kid],
    forced: force.force,
    reason: force.reason,
  } as const
  return audited(management, operator, operation, async () => {
    const ref = { tenant: operator.tenant, contentId }
    await refuseIssuedUnstored(management, ref, force)
    return { result: await addKidOverride(management, { ref, rule, ...force }) }
  })
}

/** Removes a kid override. Returns false if none was stored. The change must be forced, with a reason. */
export function removeOverrideRule(
  management: Management,
  operator: Operator,
  { contentId, rule, ...force }: OverrideRuleName,
): Promise<boolean> {
  const operation = { action: 'override.remove', contentId, forced: force.force, reason: force.reason } as const
  return audited(management, operator, operation, async () => ({
    result: await removeKidOverride(management, { ref: { tenant: operator.tenant, contentId }, rule, ...force }),
  }))
}

/** The overrides and kid overrides of a content. */
export async function listContentOverrides(
  management: Pick<Management, 'store'>,
  { tenant }: Pick<Operator, 'tenant'>,
  contentId: string,
): Promise<ContentOverrides> {
  const ref = { tenant, contentId }
  const [overrides, kidOverrides] = await Promise.all([
    listOverrides(management, ref),
    listKidOverrides(management, ref),
  ])
  return { overrides, kidOverrides }
}

/**
 * Whether the ledger of this region records that encryptors received keys of a content without a stored secret. That happens
 * if the secret itself is derived.
 */
export async function isIssuedUnstored(
  { store, contentKeys }: Pick<Management, 'store' | 'contentKeys'>,
  ref: ContentRef,
): Promise<boolean> {
  if ((await store.findByContent(ref, 1)).length === 0) return false
  const stored = await store.findContent(ref, [])
  if (stored?.sealedSecret !== undefined || stored?.tombstone !== undefined) return false
  return (await contentKeys.open(ref, [ANY.kid])).findWithIv(ANY)?.source === 'derived'
}

/** Throws ERR_OVERRIDE_EXISTS for a change of such keys, unless it is forced. */
async function refuseIssuedUnstored(
  sources: Pick<Management, 'store' | 'contentKeys'>,
  ref: ContentRef,
  { force = false }: Force,
): Promise<void> {
  if (force || !(await isIssuedUnstored(sources, ref))) return
  throw overrideExists(ref, 'the content has derived keys already')
}

/** Any kid has a key if the secret of a content is derived. */
const ANY: WantedKey = { contentKeyClass: 'drm', kid: '00000000-0000-4000-8000-000000000000' as WantedKey['kid'] }
