import { KeyProviderError } from '../../core/errors.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import type { ContentLife, StoredContent } from '../../keys/ports/content-store.ts'
import type { ContentQuery } from '../../operations/ports/store.ts'

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

/** A write that would destroy a content under legal hold. */
export function contentHeld({ tenant, contentId }: ContentRef, hold: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_HELD',
    `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)} is under legal hold (${hold}): release it first`,
  )
}

/** The life of a content of which nothing but rules or a document is stored. */
export const UNBORN: ContentLife = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }

/** What stands of a content of which nothing is stored. */
export const NOTHING: StoredContent = {
  life: UNBORN,
  sealedSecret: undefined,
  overrides: [],
  overridesComplete: true,
  kidOverrides: [],
  tombstone: undefined,
}

/** So many names are looked at for one page of a search. */
export const SEARCHED_ROWS = 10_000
/** A page of a search holds no more than this. */
export const MAX_PAGE = 1_000
/** Overrides of a content are counted so far. */
export const COUNTED_OVERRIDES = 10_000

/** So many names are read for one page of a search: one more than it holds tells whether there is a next one. */
export function rowsToRead({ contains, limit }: Pick<ContentQuery, 'contains' | 'limit'>): number {
  return contains === undefined ? Math.min(limit, MAX_PAGE) + 1 : SEARCHED_ROWS
}

/** The names that a search is for, out of the first `rowsToRead` that follow `startsWith` and `after` in the order of their bytes. */
export function pageOf(
  names: readonly string[],
  query: Pick<ContentQuery, 'startsWith' | 'contains' | 'limit'>,
): { readonly contentIds: readonly string[]; readonly next: string | undefined } {
  const { startsWith = '', contains = '', limit } = query
  const hasMore = names.length >= rowsToRead(query)
  const contentIds: string[] = []
  for (const [index, name] of names.entries()) {
    // Names with one beginning stand together.
    if (!name.startsWith(startsWith)) return { contentIds, next: undefined }
    if (!name.includes(contains)) continue
    contentIds.push(name)
    if (contentIds.length < Math.min(limit, MAX_PAGE)) continue
    return { contentIds, next: hasMore || index < names.length - 1 ? name : undefined }
  }
  return { contentIds, next: hasMore ? names.at(-1) : undefined }
}
