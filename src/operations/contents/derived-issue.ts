import type { WantedKey } from '../../keys/content/content-key.ts'
import { overrideExists } from '../../keys/content/errors.ts'
import type { Force } from '../../keys/content/overrides.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { Management } from '../management.ts'

/** Any kid: each has a key where the secret of a content is derived. */
const ANY: WantedKey = { contentKeyClass: 'drm', kid: '00000000-0000-4000-8000-000000000000' as WantedKey['kid'] }

/**
 * Whether encryptors were given keys of a content for which no secret is stored, because the secret itself is derived: as far as
 * the ledger of this region knows.
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

/** Throws ERR_OVERRIDE_EXISTS for a change of such keys that is not forced. */
export async function refuseIssuedUnstored(
  sources: Pick<Management, 'store' | 'contentKeys'>,
  ref: ContentRef,
  { force = false }: Force,
): Promise<void> {
  if (force || !(await isIssuedUnstored(sources, ref))) return
  throw overrideExists(ref, 'the content has derived keys already')
}
