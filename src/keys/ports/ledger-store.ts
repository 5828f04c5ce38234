import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import type { ContentRef, Tenant } from './content-ref.ts'

/** The keys issued for one key period of a content. The ledger is a report: answers never depend on it. */
export interface LedgerRecord extends ContentRef {
  /** The period's id as the encryptor wrote it; '' for a document without periods. */
  readonly periodId: string
  readonly periodIndex: number | undefined
  /** As the encryptor wrote it: xs:dateTime or xs:duration. */
  readonly periodStart: string | undefined
  readonly periodEnd: string | undefined
  readonly keys: readonly LedgerKey[]
  readonly client: string
  readonly spekeVersion: string
  /** When the first request arrived, in milliseconds since 1970. */
  readonly firstAt: number
  /** When the last request arrived, in milliseconds since 1970. */
  readonly lastAt: number
  /** The number of requests. */
  readonly requests: number
  /** When the record may be deleted, in milliseconds since 1970; undefined: never. The value of the later request wins. */
  readonly keepUntil: number | undefined
}

export interface LedgerKey {
  readonly kid: Kid
  readonly contentKeyClass: ContentKeyClass
  readonly commonEncryptionScheme: string
  readonly intendedTrackTypes: readonly string[]
  readonly systemIds: readonly SystemId[]
}

/** Limits a search by kid. */
export interface KidQuery {
  /** Only records of this content. */
  readonly contentId?: string | undefined
  /** At most this many periods per content and class. The default is 100. */
  readonly periods?: number | undefined
}

/** Stores the ledger. The contract tests are `test/adapters/store/ledger-store-contract.ts`. */
export interface LedgerStore extends IssuedKidStore {
  /**
   * Merges each record into the stored record of its (tenant, contentId, periodId), and adds its kids to the issued kids of the
   * content. Returns the kids that are now in both classes.
   */
  record(records: readonly LedgerRecord[]): Promise<readonly (ContentRef & { readonly kid: Kid })[]>

  /**
   * The periods in which a kid was issued, the most recently requested first. Per content and class, the result holds the periods
   * that began last. It holds about 1,000 periods at most: a kid may stay the same through every period of a channel.
   */
  findByKid(tenant: Tenant, kid: Kid, query?: KidQuery): Promise<readonly LedgerRecord[]>

  /** At most `limit` periods of a content, newest first. */
  findByContent(ref: ContentRef, limit: number): Promise<readonly LedgerRecord[]>

  /** Deletes at most `limit` periods whose `keepUntil` is before `now`. Returns the number of deleted periods. */
  prune(now: number, limit: number): Promise<number>

  close(): Promise<void>
}

/** A key period, without its keys. */
export type RecentPeriod = ContentRef & PeriodTimes

/** When a key period starts and ends, as far as the ledger knows. */
export type PeriodTimes = Pick<LedgerRecord, 'periodId' | 'periodIndex' | 'periodStart' | 'periodEnd' | 'firstAt'>

/** From `since` to just before `until`, in milliseconds since 1970. */
export interface Span {
  readonly since: number
  readonly until: number
}

/** The newest part of the ledger, for all contents. The contract tests are `test/adapters/store/recent-periods-contract.ts`. */
export interface RecentPeriods {
  /**
   * At most `limit` periods whose first request is in `span`, and where to continue; `next` is undefined after the last page. The
   * store defines the order. Documents without periods are not listed. The list may miss records written during the listing. It
   * may repeat a period that several nodes recorded at the same time.
   */
  listRecent(
    span: Span,
    after: string | undefined,
    limit: number,
  ): Promise<{ readonly periods: readonly RecentPeriod[]; readonly next: string | undefined }>
}

export function toRecentPeriod(record: RecentPeriod): RecentPeriod {
  const { tenant, contentId, periodId, periodIndex, periodStart, periodEnd, firstAt } = record
  return { tenant, contentId, periodId, periodIndex, periodStart, periodEnd, firstAt }
}

/** A kid that was issued to an encryptor, and the class of its key. */
export interface IssuedKid {
  readonly kid: Kid
  readonly contentKeyClass: ContentKeyClass
}

/** The issued kids of a content among those that were asked for. */
export interface FoundIssued {
  readonly issued: readonly IssuedKid[]
  /**
   * Since when the store has recorded every issued kid, in milliseconds since 1970. For a content that was created before this
   * time, the record may be incomplete.
   */
  readonly completeSince: number
}

/**
 * The kids that were issued, one entry per content, class and kid. An entry stays until its content is destroyed, unlike the ledger,
 * which is pruned earlier. `LedgerStore.record` adds the entries, for contents that are stored. The contract tests are
 * `test/adapters/store/issued-kid-store-contract.ts`.
 */
export interface IssuedKidStore {
  /** The issued kids among `kids`, in one query. Never reads from a replica. */
  findIssued(ref: ContentRef, kids: readonly Kid[]): Promise<FoundIssued>

  /** At most `limit` issued kids of a content after `after`, ordered by kid and class, for copies of a store. */
  listIssued(ref: ContentRef, after: IssuedKid | undefined, limit: number): Promise<readonly IssuedKid[]>

  /** Adds issued kids to a stored content, for copies of a store. */
  putIssued(ref: ContentRef, issued: readonly IssuedKid[]): Promise<void>

  /** Sets `completeSince` to a later time, for copies of a store. An earlier time changes nothing. */
  putCompleteSince(at: number): Promise<void>
}
