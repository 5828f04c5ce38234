import { KeyProviderError } from '../errors.ts'
import type { ContentRef, Tenant } from '../keys/store.ts'

/** Up to so many overrides of a content are read whatever kids were asked for; beyond, only those of the kids. */
export const COMPLETE_OVERRIDES = 64

/** A write to a content that was destroyed. */
export function contentGone({ tenant, contentId }: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_GONE',
    `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)} was destroyed; nothing can be stored for it`,
  )
}

/** A row that was written is not there: somebody else removes rows, or a replica was named as the primary. */
export function rowGone(): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    'the store does not return a row just written: check that it is the primary, and that nobody else removes rows',
  )
}

/** A value that was sealed with a data key removed meanwhile: nothing could open it. */
export function dataKeyRemoved(tenant: Tenant): KeyProviderError {
  return new KeyProviderError(
    'ERR_DATA_KEY_REMOVED',
    `the data key in use for tenant ${JSON.stringify(tenant)} was removed by a rotation: ask again`,
  )
}
