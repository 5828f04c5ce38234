import { setImmediate } from 'node:timers/promises'
import { KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { RetentionClass } from '../../keys/content/lifetime.ts'
import { storedExpiry } from '../../keys/content/lifetime.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type { Management, Operator } from '../management.ts'
import type { ContentPage, ContentQuery, ContentSummary } from '../ports/store.ts'
import { openCursor, sealCursor } from './cursor.ts'

/** `held`: it neither expires nor can it be deleted. `expired`: players are refused, a request of an encryptor revives it. */
export type ContentState = 'active' | 'expired' | 'held' | 'destroyed'

/** What is told of a content. Times are of ISO 8601. */
export interface ListedContent {
  readonly contentId: string
  readonly state: ContentState
  /** The name of its retention class, by the rules as they are now. */
  readonly class: string
  /** Undefined: made before this was kept. */
  readonly createdAt: string | undefined
  /** Undefined: never, as long as the rules stay. */
  readonly expiresAt: string | undefined
  /** From when it is destroyed if nobody asks for its keys. */
  readonly destroyedFrom: string | undefined
  /** Why it is held; that of a rule of the configuration has no words. */
  readonly hold: string | undefined
  readonly destroyed:
    | { readonly at: string; readonly reason: string; readonly cause: 'deleted' | 'expired' }
    | undefined
  /** How often it was given new keys after it had expired. */
  readonly epoch: number
  /** Whether keys can be derived for it. */
  readonly hasSecret: boolean
  readonly overrides: number
  readonly kidOverrides: number
}

/** A content with the key periods that were asked for last. */
export interface ShownContent extends ListedContent {
  /** The newest first, at most 10. */
  readonly lastPeriods: readonly {
    readonly periodId: string
    readonly index: number | undefined
    readonly keys: readonly {
      readonly kid: Kid
      readonly class: ContentKeyClass
      readonly intendedTrackTypes: readonly string[]
    }[]
    readonly firstAt: string
    readonly lastAt: string
    readonly requests: number
    readonly client: string
  }[]
}

export interface ListContentsQuery {
  readonly startsWith?: string | undefined
  /** Letter case counts. */
  readonly contains?: string | undefined
  /** What the page before gave as `next`. */
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
  /** Whether the asker may know of a content; without it, of all. */
  readonly sees?: ((contentId: string) => boolean) | undefined
}

export interface ListedContents {
  readonly contents: readonly ListedContent[]
  /** The cursor of the next page; undefined at the end. A page of a search may be empty and have a next one. */
  readonly next: string | undefined
}

const MAX_LISTED = 1_000
const DEFAULT_LISTED = 100
/** For somebody who sees only some contents, so many are looked at for one page, in pages of the store. */
const MAX_PAGES_SEARCHED = 100
const SEARCHED_AT_ONCE = 200
const SHOWN_PERIODS = 10

/** The contents of the operator's tenant, in the order of their ids. Throws ERR_API_REQUEST_INVALID for a cursor that is none. */
export async function listContents(
  management: ContentSources & Pick<Management, 'dataKeys' | 'randomBytes'>,
  { tenant }: Pick<Operator, 'tenant'>,
  { startsWith, contains, cursor, limit = DEFAULT_LISTED, sees }: ListContentsQuery,
): Promise<ListedContents> {
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LISTED) {
    throw new KeyProviderError('ERR_API_REQUEST_INVALID', `limit: expected a whole number from 1 to ${MAX_LISTED}`)
  }
  const { store } = management
  const after = cursor === undefined ? undefined : await openCursor(management, tenant, cursor)
  const found =
    sees === undefined
      ? await store.searchContents({ tenant, startsWith, contains, after, limit })
      : await searchSeen(store, { tenant, startsWith, contains, after, limit }, sees)
  return {
    contents: found.contents.map((summary) => toListed(management, { tenant, contentId: summary.contentId }, summary)),
    next: found.next === undefined ? undefined : await sealCursor(management, tenant, found.next),
  }
}

/** Fills a page with contents that the asker may know of: how many others there are, and what they are called, does not show. */
async function searchSeen(
  store: Pick<Management['store'], 'searchContents'>,
  query: ContentQuery,
  sees: (contentId: string) => boolean,
): Promise<ContentPage> {
  const seen: ContentSummary[] = []
  let { after } = query
  for (let page = 0; page < MAX_PAGES_SEARCHED; page++) {
    const { contents, next } = await store.searchContents({ ...query, after, limit: SEARCHED_AT_ONCE })
    for (const summary of contents) {
      if (!sees(summary.contentId)) continue
      if (seen.length === query.limit) return { contents: seen, next: seen.at(-1)?.contentId }
      seen.push(summary)
    }
    if (next === undefined) return { contents: seen, next }
    after = next
    await setImmediate()
  }
  return { contents: seen, next: after }
}

/** One content. Throws ERR_CONTENT_NOT_FOUND. */
export async function showContent(
  management: ContentSources,
  { tenant }: Pick<Operator, 'tenant'>,
  { contentId }: { readonly contentId: string },
): Promise<ShownContent> {
  const ref = { tenant, contentId }
  const [summary, periods] = await Promise.all([
    management.store.findSummary(ref),
    management.store.findByContent(ref, SHOWN_PERIODS),
  ])
  if (summary === undefined) throw contentNotFound(contentId)
  return { ...toListed(management, ref, summary), lastPeriods: periods.map(toShownPeriod) }
}

/** The refusal of a contentId of which nothing is stored. */
export function contentNotFound(contentId: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_NOT_FOUND',
    `nothing is stored of content ${JSON.stringify(contentId)} in this tenant: see the list of contents, letter case counts`,
  )
}

/** What reading contents needs. */
export type ContentSources = Pick<Management, 'store' | 'retention' | 'now'>

/** What is told of a content of which `summary` is stored. */
export function toListed(
  { retention, now }: Pick<Management, 'retention' | 'now'>,
  ref: ContentRef,
  summary: ContentSummary,
): ListedContent {
  const { contentId, createdAt, hold, epoch, hasSecret, overrides, kidOverrides, tombstone } = summary
  const kept = retention(ref)
  const expiresAt = expiryOf(summary, kept)
  return {
    contentId,
    state: stateOf(summary, kept, now()),
    class: kept.name,
    createdAt: isoOf(createdAt),
    expiresAt: isoOf(expiresAt),
    destroyedFrom: isoOf(expiresAt === undefined ? undefined : expiresAt + kept.graceMs),
    hold,
    destroyed: tombstone && {
      at: new Date(tombstone.at).toISOString(),
      reason: tombstone.reason,
      cause: tombstone.cause,
    },
    epoch,
    hasSecret,
    overrides,
    kidOverrides,
  }
}

/** When a content expires by the rules as they are now, whatever is stored. */
export function expiryOf({ tombstone, expiresAt, hold }: ContentSummary, kept: RetentionClass): number | undefined {
  return tombstone === undefined ? storedExpiry({ expiresAt, isHeld: hold !== undefined }, kept) : undefined
}

function stateOf(summary: ContentSummary, kept: RetentionClass, at: number): ContentState {
  if (summary.tombstone !== undefined) return 'destroyed'
  if (summary.hold !== undefined || kept.held) return 'held'
  const expiresAt = expiryOf(summary, kept)
  return expiresAt !== undefined && expiresAt <= at ? 'expired' : 'active'
}

function toShownPeriod(record: LedgerRecord): ShownContent['lastPeriods'][number] {
  const { periodId, periodIndex, keys, firstAt, lastAt, requests, client } = record
  return {
    periodId,
    index: periodIndex,
    keys: keys.map(({ kid, contentKeyClass, intendedTrackTypes }) => ({
      kid,
      class: contentKeyClass,
      intendedTrackTypes,
    })),
    firstAt: new Date(firstAt).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
    requests,
    client,
  }
}

function isoOf(at: number | undefined): string | undefined {
  return at === undefined ? undefined : new Date(at).toISOString()
}
