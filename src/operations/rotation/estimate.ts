import { DATE_TIME } from '../../formats/cpix/fields.ts'
import type { PeriodTimes } from '../../keys/ports/ledger-store.ts'

/** A key period that was asked for, as far as its place in time is known. */
export interface SeenPeriod {
  readonly periodId: string
  readonly index: number | undefined
  /** Milliseconds since 1970: where the document says it starts and ends, else when it was first asked for. */
  readonly start: number
  readonly end: number | undefined
  readonly firstAt: number
  /** Whether it is a period of a recording, whose times count from its start. */
  readonly isOffset: boolean
}

/** How a content changes its keys. */
export interface RotationSchedule {
  /** What the interval was taken from: the times in the documents, the configuration, or when encryptors asked. */
  readonly basis: 'document' | 'configured' | 'observed'
  readonly intervalMs: number
  /** How much of what was seen agrees with the interval. */
  readonly confidence: 'high' | 'medium' | 'low'
  /** The newest period. */
  readonly last: SeenPeriod
  /** By how much the index grows from period to period; undefined where periods have none. */
  readonly indexStep: number | undefined
  /** When the period after `last` starts, or is asked for where documents have no times. */
  readonly nextStart: number
  /** When a request for another period is due. */
  readonly nextRequest: number
}

/** Indexes start again from 0 after MAX_UINT32. @see CPIX 2.4, ContentKeyPeriod */
const INDEXES = 2 ** 32
/** Requests this close together are one: encryptors ask for several periods at once. */
const TOGETHER_MS = 1_000
const MAX_SAMPLES = 16
/** A content that missed so many intervals has stopped. */
const STOPPED_AFTER = 3

/** The periods of `records` in the order of their time. Records of documents without periods are none. */
export function seenPeriods(records: readonly PeriodTimes[]): readonly SeenPeriod[] {
  return records
    .filter(({ periodId }) => periodId !== '')
    .map(({ periodId, periodIndex, periodStart, periodEnd, firstAt }) => {
      const start = periodStart === undefined ? undefined : DATE_TIME.read(periodStart)
      const end = periodEnd === undefined ? undefined : DATE_TIME.read(periodEnd)
      const isOffset = periodStart !== undefined && start === undefined
      return { periodId, index: periodIndex, start: start ?? firstAt, end: start && end, firstAt, isOffset }
    })
    .sort((a, b) => a.start - b.start || byIndex(a, b))
}

/**
 * How a content changes its keys, from the periods that were asked for; undefined where that cannot be told: nothing was asked for
 * twice, and nothing is configured. A median, so that an outage, a restart or a missed period changes nothing.
 */
export function rotationSchedule(
  seen: readonly SeenPeriod[],
  configuredMs: number | undefined,
): RotationSchedule | undefined {
  const periods = seen.filter(({ isOffset }) => !isOffset)
  const requests = requestsOf(periods)
  // The least: where half of the periods were missed, the middle would be two steps.
  const indexStep = least(
    successive(periods).flatMap(([a, b]) => {
      const grown = indexDifference(a, b)
      return grown !== undefined && grown > 0 ? [grown] : []
    }),
  )
  const lengths = periods.flatMap(({ start, end }) => (end === undefined ? [] : [end - start])).slice(-MAX_SAMPLES)
  const observed = successive(requests)
    .flatMap(([a, b]) => sample(a, b, indexStep))
    .slice(-MAX_SAMPLES)
  const samples = lengths.length > 0 ? lengths : observed
  const intervalMs = configuredMs ?? median(samples)
  if (intervalMs === undefined || intervalMs <= 0) return undefined
  const newest = newestRequest(requests, intervalMs)
  const last = newest?.periods.at(-1)
  if (newest === undefined || last === undefined) return undefined
  const basis = configuredMs !== undefined ? 'configured' : lengths.length > 0 ? 'document' : 'observed'
  const ahead = newest.periods.length * intervalMs
  return {
    basis,
    intervalMs,
    confidence: basis === 'configured' ? 'high' : confidenceOf(samples, intervalMs, basis),
    last,
    indexStep,
    nextStart: last.end ?? newest.periods[0].start + ahead,
    nextRequest: newest.at + ahead,
  }
}

/** Whether so many requests did not come that no more are expected. */
export function hasStopped({ nextRequest, nextStart, intervalMs }: RotationSchedule, at: number): boolean {
  return at > Math.max(nextRequest, nextStart) + (STOPPED_AFTER - 1) * intervalMs
}

/** The index of the period that comes `count` after the newest; undefined where periods have none. */
export function indexAfter({ last, indexStep }: RotationSchedule, count: number): number | undefined {
  if (last.index === undefined) return undefined
  const index = last.index + count * (indexStep ?? 1)
  return last.index < INDEXES ? index % INDEXES : index
}

/** Periods that were first asked for together. */
interface Request {
  readonly at: number
  readonly periods: readonly [SeenPeriod, ...SeenPeriod[]]
}

function requestsOf(periods: readonly SeenPeriod[]): readonly Request[] {
  const requests: { at: number; periods: [SeenPeriod, ...SeenPeriod[]] }[] = []
  for (const period of [...periods].sort((a, b) => a.firstAt - b.firstAt)) {
    const before = requests.at(-1)
    if (before !== undefined && period.firstAt - before.at < TOGETHER_MS) before.periods.push(period)
    else requests.push({ at: period.firstAt, periods: [period] })
  }
  for (const request of requests) request.periods.sort((a, b) => byIndex(a, b) || a.start - b.start)
  return requests
}

/** The interval that two requests tell of; none across a restart, where indexes start anew. */
function sample(a: Request, b: Request, indexStep: number | undefined): readonly number[] {
  const [before, after] = [a.periods.at(-1), b.periods.at(-1)]
  const grown = before && after && indexDifference(before, after)
  if (grown === undefined) return [(b.at - a.at) / b.periods.length]
  if (grown <= 0) return []
  return [(b.at - a.at) / Math.max(1, Math.round(grown / (indexStep ?? 1)))]
}

/** The request for the newest period: one for an old period that comes in between is not it, one after a restart is. */
function newestRequest(requests: readonly Request[], intervalMs: number): Request | undefined {
  let newest: Request | undefined
  for (const request of requests) {
    const [before, after] = [newest?.periods.at(-1), request.periods.at(-1)]
    const grown = before && after && indexDifference(before, after)
    const isOld = grown !== undefined && grown <= 0
    if (newest === undefined || !isOld || request.at - newest.at > 2 * intervalMs) newest = request
  }
  return newest
}

function confidenceOf(
  samples: readonly number[],
  intervalMs: number,
  basis: RotationSchedule['basis'],
): RotationSchedule['confidence'] {
  const agreeing = samples.filter((one) => Math.abs(one - intervalMs) <= intervalMs / 5).length / samples.length
  if (basis === 'document') return agreeing >= 0.75 ? 'high' : 'medium'
  if (samples.length >= 3 && agreeing >= 0.75) return 'high'
  return samples.length >= 2 && agreeing >= 0.5 ? 'medium' : 'low'
}

/** By how much the index grew, beyond MAX_UINT32 too; negative when it fell. */
function indexDifference(a: SeenPeriod, b: SeenPeriod): number | undefined {
  if (a.index === undefined || b.index === undefined) return undefined
  const difference = b.index - a.index
  if (a.index >= INDEXES || b.index >= INDEXES || Math.abs(difference) < INDEXES / 2) return difference
  return difference > 0 ? difference - INDEXES : difference + INDEXES
}

function byIndex(a: SeenPeriod, b: SeenPeriod): number {
  return -(indexDifference(a, b) ?? 0)
}

function successive<T>(items: readonly T[]): readonly (readonly [T, T])[] {
  return items.slice(1).flatMap((item, i) => {
    const before = items[i]
    return before === undefined ? [] : [[before, item] as const]
  })
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values)
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[(sorted.length - 1) >> 1]
}
