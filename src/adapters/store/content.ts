import { KeyProviderError } from '../../core/errors.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { ContentLife, StoredContent } from '../../keys/ports/content-store.ts'
import type { ContentQuery } from '../../operations/ports/store.ts'

/** Reads return all overrides of a content up to this number, and beyond it only those of the requested kids. */
export const COMPLETE_OVERRIDES = 64

/**
 * The error for a row that is missing directly after it was written: someone removes rows, or the configured primary
 * is a replica.
 */
export function rowGone(): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    'the store does not return a row just written: check that it is the primary, and that no one else deletes rows',
  )
}

/** The error for a value sealed with a data key that a rotation removed meanwhile. Nothing could open it. */
export function dataKeyRemoved(tenant: Tenant): KeyProviderError {
  return new KeyProviderError(
    'ERR_DATA_KEY_REMOVED',
    `the data key in use for tenant ${JSON.stringify(tenant)} was removed by a rotation: retry`,
  )
}

/** The life of a content that has only kid overrides or a document. */
export const UNBORN: ContentLife = { createdAt: undefined, expiresAt: undefined, hold: undefined, epoch: 0 }

/** A content for which nothing is stored. */
export const NOTHING: StoredContent = {
  life: UNBORN,
  sealedSecret: undefined,
  overrides: [],
  overridesComplete: true,
  kidOverrides: [],
  tombstone: undefined,
}

/** The number of names that a search examines for one page. */
export const SEARCHED_ROWS = 10_000
/** The largest page of a search. */
export const MAX_PAGE = 1_000
/** Counting the overrides of a content stops at this number. */
export const COUNTED_OVERRIDES = 10_000

/** The number of names to read for one page: one more than it holds shows whether a next page exists. */
export function rowsToRead({ contains, limit }: Pick<ContentQuery, 'contains' | 'limit'>): number {
  return contains === undefined ? Math.min(limit, MAX_PAGE) + 1 : SEARCHED_ROWS
}

/** The names that match a search, from the first `rowsToRead` names after `startsWith` and `after` in byte order. */
export function pageOf(
  names: readonly string[],
  query: Pick<ContentQuery, 'startsWith' | 'contains' | 'limit'>,
): { readonly contentIds: readonly string[]; readonly next: string | undefined } {
  const { startsWith = '', contains = '', limit } = query
  const hasMore = names.length >= rowsToRead(query)
  const contentIds: string[] = []
  for (const [index, name] of names.entries()) {
    // Names with a common prefix are adjacent.
    if (!name.startsWith(startsWith)) return { contentIds, next: undefined }
    if (!name.includes(contains)) continue
    contentIds.push(name)
    if (contentIds.length < Math.min(limit, MAX_PAGE)) continue
    return { contentIds, next: hasMore || index < names.length - 1 ? name : undefined }
  }
  return { contentIds, next: hasMore ? names.at(-1) : undefined }
}
