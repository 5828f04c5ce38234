import { setImmediate } from 'node:timers/promises'
import { KeyProviderError } from '../../core/errors.ts'
import { type RetentionClass, storedExpiry } from '../../keys/content/lifetime.ts'
import { seal, sealGeneration, unseal } from '../../keys/crypto/seal.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type { CONTENT_LIST, LISTED_CONTENT, SHOWN_CONTENT } from '../answers/contents.ts'
import type { Answered } from '../answers/fields.ts'
import type { Management, Operator } from '../management.ts'
import type { ContentPage, ContentQuery, ContentSummary } from '../ports/store.ts'

/** `held`: the content neither expires nor can be deleted. `expired`: players get 410; an encryptor's request revives it. */
type ContentState = 'active' | 'expired' | 'held' | 'destroyed'

/** The listed facts of a content. Times are ISO 8601. */
export type ListedContent = Answered<typeof LISTED_CONTENT>

/** A content with its last requested key periods. */
type ShownContent = Answered<typeof SHOWN_CONTENT>

interface ListContentsQuery {
  readonly startsWith?: string | undefined
  /** Case-sensitive. */
  readonly contains?: string | undefined
  /** The `next` of the previous page. */
  readonly cursor?: string | undefined
  readonly limit?: number | undefined
  /** Whether the caller may see a content; without it, the caller sees all. */
  readonly sees?: ((contentId: string) => boolean) | undefined
}

type ListedContents = Answered<typeof CONTENT_LIST>

const MAX_LISTED = 1_000
const DEFAULT_LISTED = 100
/** How many pages of the store are read for one page of a caller who sees only some contents. */
const MAX_PAGES_SEARCHED = 100
const SEARCHED_AT_ONCE = 200
const SHOWN_PERIODS = 10

/** The contents of the operator's tenant, in the order of their contentIds. Throws ERR_API_REQUEST_INVALID for an invalid cursor. */
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

/** Fills a page with contents that the caller may see. Number and names of the others stay hidden. */
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

/** The error of a contentId without stored content. */
export function contentNotFound(contentId: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_NOT_FOUND',
    `content ${JSON.stringify(contentId)} does not exist in this tenant: check the list of contents; contentIds are case-sensitive`,
  )
}

/** Everything that reading contents needs. */
type ContentSources = Pick<Management, 'store' | 'retention' | 'now'>

/** The listed facts of a content with this summary. */
function toListed(
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

/** When a content expires under the current rules, in milliseconds since 1970; undefined: never. */
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

/**
 * A place in a tenant's list, from which the caller reads the next page. It is sealed, because it can be the id of a content
 * that the caller may not see.
 */
async function sealCursor(
  { dataKeys, randomBytes }: Pick<Management, 'dataKeys' | 'randomBytes'>,
  tenant: Tenant,
  place: string,
): Promise<string> {
  const dataKey = await dataKeys.current(tenant)
  return Buffer.from(seal(dataKey, { kind: 'cursor', tenant }, Buffer.from(place), randomBytes)).toString('base64url')
}

/** The place in a cursor of `sealCursor`. Throws ERR_API_REQUEST_INVALID for anything else. */
async function openCursor({ dataKeys }: Pick<Management, 'dataKeys'>, tenant: Tenant, cursor: string): Promise<string> {
  const sealed = Buffer.from(cursor, 'base64url')
  const generation = sealGeneration(sealed)
  const dataKey = generation === undefined ? undefined : await dataKeys.find(tenant, generation)
  try {
    return unseal(dataKey, { kind: 'cursor', tenant }, sealed).toString()
  } catch (cause) {
    if (!(cause instanceof KeyProviderError && cause.code === 'ERR_SEAL_BROKEN')) throw cause
    throw new KeyProviderError(
      'ERR_API_REQUEST_INVALID',
      'cursor: expected the value of next in the previous page; start again without a cursor',
      { cause },
    )
  }
}
