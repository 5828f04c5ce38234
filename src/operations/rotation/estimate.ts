import { DATE_TIME } from '../../formats/cpix/fields.ts'
import type { PeriodTimes } from '../../keys/ports/ledger-store.ts'

/** A requested key period, and its known place in time. */
export interface SeenPeriod {
  readonly periodId: string
  readonly index: number | undefined
  /** Milliseconds since 1970: the start and end in the document; without them, the first request. */
  readonly start: number
  readonly end: number | undefined
  readonly firstAt: number
  /** Whether it is a period of a recording, with offsets from its start. */
  readonly isOffset: boolean
}

/** How a content changes its keys. */
export interface RotationSchedule {
  /** The source of the interval: times in the documents, the configuration, or the times of requests. */
  readonly basis: 'document' | 'configured' | 'observed'
  readonly intervalMs: number
  /** How many of the samples agree with the interval. */
  readonly confidence: 'high' | 'medium' | 'low'
  /** The newest period. */
  readonly last: SeenPeriod
  /** The growth of the index from period to period; undefined if periods have no index. */
  readonly indexStep: number | undefined
  /** The start of the period after `last`; its first request if documents have no times. */
  readonly nextStart: number
  /** When a request for another period is due. */
  readonly nextRequest: number
}

/** Indexes restart from 0 after MAX_UINT32. @see CPIX 2.4, ContentKeyPeriod */
const INDEXES = 2 ** 32
/** Requests this close together count as one, in milliseconds: encryptors request several periods at once. */
const TOGETHER_MS = 1_000
const MAX_SAMPLES = 16
/** A content has stopped after this many missed intervals. */
const STOPPED_AFTER = 3

/** The periods of `records` in the order of time. Ignores records of documents without periods. */
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
 * Estimates how a content changes its keys from its requested periods. Undefined if fewer than two periods were requested and
 * no interval is configured. Uses the median, so that an outage, a restart or a missed period does not change the result.
 */
export function rotationSchedule(
  seen: readonly SeenPeriod[],
  configuredMs: number | undefined,
): RotationSchedule | undefined {
  const periods = seen.filter(({ isOffset }) => !isOffset)
  const requests = requestsOf(periods)
  // The minimum: if half of the periods were missed, the median would be two steps.
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

/** Whether the content has stopped: too many requests did not arrive. */
export function hasStopped({ nextRequest, nextStart, intervalMs }: RotationSchedule, at: number): boolean {
  return at > Math.max(nextRequest, nextStart) + (STOPPED_AFTER - 1) * intervalMs
}

/** The index of the period `count` after the newest; undefined if periods have no index. */
export function indexAfter({ last, indexStep }: RotationSchedule, count: number): number | undefined {
  if (last.index === undefined) return undefined
  const index = last.index + count * (indexStep ?? 1)
  return last.index < INDEXES ? index % INDEXES : index
}

/** Periods that were first requested together. */
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

/** The interval between two requests; none across a restart of the indexes. */
function sample(a: Request, b: Request, indexStep: number | undefined): readonly number[] {
  const [before, after] = [a.periods.at(-1), b.periods.at(-1)]
  const grown = before && after && indexDifference(before, after)
  if (grown === undefined) return [(b.at - a.at) / b.periods.length]
  if (grown <= 0) return []
  return [(b.at - a.at) / Math.max(1, Math.round(grown / (indexStep ?? 1)))]
}

/** The request for the newest period. Ignores late requests for old periods; accepts a restart of the indexes. */
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

/** The growth of the index, also across MAX_UINT32; negative if it fell. */
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
