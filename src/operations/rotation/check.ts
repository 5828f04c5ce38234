import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { PeriodTimes, RecentPeriod, RecentPeriods } from '../../keys/ports/ledger-store.ts'
import { CLAIM_MS } from '../claim.ts'
import { type RotationSchedule, rotationSchedule, seenPeriods } from './estimate.ts'
import type { RotationWatcher } from './missed.ts'
import { MAX_MISSED, type OverdueOptions, overdueAt, scheduleOf, tellOverdue } from './overdue.ts'

export interface RecentOptions {
  readonly store: RecentPeriods
  /** The longest interval that is configured, in milliseconds. */
  readonly longestMs?: number
  /** How many periods are read together. */
  readonly batch?: number
}

export interface CheckRotationsOptions extends OverdueOptions, RecentOptions {
  readonly store: RecentPeriods & OverdueOptions['store']
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How many contents are judged. */
  readonly maxContents?: number
}

export interface RotationCheck {
  /** Contents with key periods that were judged. */
  readonly contents: number
  /** Periods that this check was the one to tell of. */
  readonly missed: number
  /** Whether there were more contents than are judged. */
  readonly isPartial: boolean
}

interface Recent {
  readonly ref: ContentRef
  readonly periods: readonly PeriodTimes[]
}

/** A content is looked at until so long after its last new period, or some intervals where a longer one is configured. */
const LOOK_BACK_MS = 2 * 3_600_000
/** The last missed period is told of before the next check but one. */
const LOOK_BACK_INTERVALS = MAX_MISSED + 1
/** Clocks of nodes that are ahead. */
const AHEAD_MS = 300_000
/** A schedule that these agree on is good enough to see that nothing is overdue; before anything is told the ledger is asked for more. */
const GLANCED_PERIODS = 8
const TOGETHER = 16

/**
 * Looks once for key periods that were not asked for, by the ledger alone: for a function, which has no memory of what it answered
 * and is frozen in between. Called every few minutes it tells of what a watcher on a node tells of, each period once.
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
    const told = await Promise.all(
      suspects.slice(i, i + TOGETHER).map(async ({ ref }) => {
        const schedule = await scheduleOf(options, ref)
        return schedule === undefined ? 0 : (await tellOverdue(options, { ref, schedule, at })).told
      }),
    )
    for (const one of told) missed += one
  }
  return { contents: contents.length, missed, isPartial }
}

/** The contents that may be due, each with its newest periods. */
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

/** The periods that began as lately as matters, page by page. */
export async function* recentPages(
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

/** The newest of the periods and of one more, each once, from when it was first asked for. */
function withPeriod(periods: readonly PeriodTimes[], period: PeriodTimes): readonly PeriodTimes[] {
  const same = periods.find(({ periodId }) => periodId === period.periodId)
  if (same !== undefined && same.firstAt <= period.firstAt) return periods
  return [...periods.filter((one) => one !== same), period]
    .sort((a, b) => a.firstAt - b.firstAt)
    .slice(-GLANCED_PERIODS)
}

/** Lets a watcher hear what the nodes were asked for lately, before it was there to hear it: after a restart nothing is forgotten. */
export async function resumeWatching(watcher: Pick<RotationWatcher, 'issued'>, options: Resuming): Promise<void> {
  const { at, isOver = () => false } = options
  for await (const page of recentPages(options, at)) {
    if (isOver()) return
    for (const period of page) watcher.issued(period)
  }
}

/** When to begin, milliseconds since 1970, and whether to end early. */
export interface Resuming extends RecentOptions {
  readonly at: number
  readonly isOver?: () => boolean
}
