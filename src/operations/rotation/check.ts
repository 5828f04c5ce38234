import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { PeriodTimes, RecentPeriod, RecentPeriods } from '../../keys/ports/ledger-store.ts'
import { CLAIM_MS } from '../claim.ts'
import { type RotationSchedule, rotationSchedule, seenPeriods } from './estimate.ts'
import type { RotationWatcher } from './missed.ts'
import { emitOverdue, MAX_MISSED, type OverdueOptions, overdueAt, scheduleOf } from './overdue.ts'

interface RecentOptions {
  readonly store: RecentPeriods
  /** The longest configured rotation interval, in milliseconds. */
  readonly longestMs?: number
  /** How many periods are read together. */
  readonly batch?: number
}

export interface CheckRotationsOptions extends OverdueOptions, RecentOptions {
  readonly store: RecentPeriods & OverdueOptions['store']
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** The limit of judged contents. */
  readonly maxContents?: number
}

export interface RotationCheck {
  /** Judged contents with key periods. */
  readonly contents: number
  /** Missed periods that this check reported. */
  readonly missed: number
  /** Whether more contents exist than were judged. */
  readonly isPartial: boolean
}

interface Recent {
  readonly ref: ContentRef
  readonly periods: readonly PeriodTimes[]
}

/** How long after its last new period a content is judged, in milliseconds; some intervals if a longer interval is configured. */
const LOOK_BACK_MS = 2 * 3_600_000
/** Enough to report the last missed period. */
const LOOK_BACK_INTERVALS = MAX_MISSED + 1
/** Allows for nodes whose clock is ahead. */
const AHEAD_MS = 300_000
/** Enough periods to see that nothing is overdue. Before anything is reported, more are read from the ledger. */
const GLANCED_PERIODS = 8
const TOGETHER = 16

/**
 * Looks once for overdue key periods, by the ledger alone: for a function, which has no memory between requests. If it is called
 * every few minutes, it reports what a watcher on a node reports, each period once.
 */
export async function checkRotations(options: CheckRotationsOptions): Promise<RotationCheck> {
  const { now, rotation } = options
  const at = now()
  const { contents, isPartial } = await recentContents(options, at)
  const isInTime = (schedule: RotationSchedule | undefined): boolean =>
    schedule !== undefined && schedule.confidence !== 'low' && at <= overdueAt(schedule, 0, options)
  const suspects = contents.filter(
    ({ ref, periods }) => !isInTime(rotationSchedule(seenPeriods(periods), rotation?.(ref))),
  )
  let missed = 0
  for (let i = 0; i < suspects.length; i += TOGETHER) {
    const emitted = await Promise.all(
      suspects.slice(i, i + TOGETHER).map(async ({ ref }) => {
        const schedule = await scheduleOf(options, ref)
        return schedule === undefined ? 0 : (await emitOverdue(options, { ref, schedule, at })).emitted
      }),
    )
    for (const one of emitted) missed += one
  }
  return { contents: contents.length, missed, isPartial }
}

/** The contents that can be due, each with its newest periods. */
async function recentContents(options: CheckRotationsOptions, at: number) {
  const { maxContents = 50_000 } = options
  const contents = new Map<string, Recent>()
  let isPartial = false
  for await (const page of recentPages(options, at)) {
    for (const { tenant, contentId, ...period } of page) {
      const id = JSON.stringify([tenant, contentId])
      const content = contents.get(id) ?? { ref: { tenant, contentId }, periods: [] }
      if (!contents.has(id) && contents.size >= maxContents) isPartial = true
      else contents.set(id, { ...content, periods: withPeriod(content.periods, period) })
    }
  }
  return { contents: [...contents.values()], isPartial }
}

/** The recent periods, page by page. */
async function* recentPages(
  { store, longestMs = 0, batch = 500 }: RecentOptions,
  at: number,
): AsyncGenerator<readonly RecentPeriod[]> {
  const lookBackMs = Math.min(CLAIM_MS, Math.max(LOOK_BACK_MS, LOOK_BACK_INTERVALS * longestMs))
  const span = { since: at - lookBackMs, until: at + AHEAD_MS }
  let after: string | undefined
  do {
    const { periods, next } = await store.listRecent(span, after, batch)
    yield periods
    after = next
  } while (after !== undefined)
}

/** The newest periods, with one more. Each period counts from its first request. */
function withPeriod(periods: readonly PeriodTimes[], period: PeriodTimes): readonly PeriodTimes[] {
  const same = periods.find(({ periodId }) => periodId === period.periodId)
  if (same !== undefined && same.firstAt <= period.firstAt) return periods
  return [...periods.filter((one) => one !== same), period]
    .sort((a, b) => a.firstAt - b.firstAt)
    .slice(-GLANCED_PERIODS)
}

/** Gives a watcher the recent periods of all nodes, so that it continues after a restart. */
export async function resumeWatching(watcher: Pick<RotationWatcher, 'issued'>, options: Resuming): Promise<void> {
  const { at, isOver = () => false } = options
  for await (const page of recentPages(options, at)) {
    if (isOver()) return
    for (const period of page) watcher.issued(period)
  }
}

/** The start of the search in milliseconds since 1970, and whether to stop early. */
interface Resuming extends RecentOptions {
  readonly at: number
  readonly isOver?: () => boolean
}
