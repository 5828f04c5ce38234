import type { ContentRef, LedgerRecord } from '../ports/store.ts'

/** What the ledger says of when a key period is. */
export type PeriodTimes = Pick<LedgerRecord, 'periodId' | 'periodIndex' | 'periodStart' | 'periodEnd' | 'firstAt'>

/** A key period, without its keys. */
export type RecentPeriod = ContentRef & PeriodTimes

/** Milliseconds since 1970; `until` is no part of it. */
export interface Span {
  readonly since: number
  readonly until: number
}

/** The newest part of the ledger, of all contents. Every adapter passes `test/adapters/store/recent-periods-contract.ts`. */
export interface RecentPeriods {
  /**
   * The periods that were first asked for in `span`, at most `limit`, in an order of the store's own, and where to go on from;
   * undefined: that was all. Documents without periods have none. Only what is recorded meanwhile may be missing; a period that
   * several nodes were first asked for together may be there more than once.
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
