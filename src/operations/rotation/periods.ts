import { KeyProviderError } from '../../core/errors.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import type { CONTENT_PERIODS, LISTED_PERIOD } from '../answers/contents.ts'
import type { Answered } from '../answers/fields.ts'
import { contentNotFound } from '../contents/contents.ts'
import type { Management, Operator } from '../management.ts'
import {
  hasStopped,
  indexAfter,
  type RotationSchedule,
  rotationSchedule,
  type SeenPeriod,
  seenPeriods,
} from './estimate.ts'

export interface PeriodsQuery {
  readonly contentId: string
  /** Only periods that end after this and start before that, milliseconds since 1970. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** How many future periods to list. */
  readonly expected?: number | undefined
}

/** A key period. Times are ISO 8601. */
export type ListedPeriod = Answered<typeof LISTED_PERIOD>

export type ContentPeriods = Answered<typeof CONTENT_PERIODS>

const MAX_PERIODS = 1_000
const MAX_EXPECTED = 100
const DEFAULT_EXPECTED = 5

/**
 * The rotation schedule of a content: every requested key period, and the expected ones. Throws ERR_CONTENT_NOT_FOUND.
 * @see CPIX 2.4, ContentKeyPeriod
 */
export async function contentPeriods(
  management: Pick<Management, 'store' | 'rotation' | 'now'>,
  { tenant }: Pick<Operator, 'tenant'>,
  query: PeriodsQuery,
): Promise<ContentPeriods> {
  const { contentId, from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = query
  const { expected = DEFAULT_EXPECTED } = query
  if (!Number.isSafeInteger(expected) || expected < 0 || expected > MAX_EXPECTED) {
    throw new KeyProviderError('ERR_API_REQUEST_INVALID', `expected: expected a whole number from 0 to ${MAX_EXPECTED}`)
  }
  const ref = { tenant, contentId }
  const records = await management.store.findByContent(ref, MAX_PERIODS + 1)
  if (records.length === 0 && (await management.store.findSummary(ref)) === undefined) throw contentNotFound(contentId)
  const at = management.now()
  const listed = records.slice(0, MAX_PERIODS)
  const schedule = rotationSchedule(seenPeriods(listed), management.rotation?.(ref))
  const stopped = schedule !== undefined && hasStopped(schedule, at)
  const periods = [
    ...issuedPeriods(listed, schedule, stopped, at),
    ...expectedPeriods(schedule, stopped ? 0 : expected),
  ]
  return {
    contentId,
    rotation: schedule && {
      basis: schedule.basis,
      intervalSeconds: schedule.intervalMs / 1_000,
      confidence: schedule.confidence,
      stopped,
    },
    periods: periods.filter(({ start = from, end = to }) => start < to && end > from).map(toListed),
    more: records.length > MAX_PERIODS,
  }
}

/** A period with its times in milliseconds since 1970. */
interface Period extends Omit<ListedPeriod, 'start' | 'end'> {
  readonly start: number | undefined
  readonly end: number | undefined
}

function issuedPeriods(
  records: readonly LedgerRecord[],
  schedule: RotationSchedule | undefined,
  stopped: boolean,
  at: number,
): readonly Period[] {
  const recordOf = new Map(records.map((record) => [record.periodId, record]))
  const seen = seenPeriods(records)
  const newest = stopped ? undefined : (schedule?.last ?? seen.at(-1))
  const isCurrent = ({ periodId, start, end, isOffset }: SeenPeriod): boolean =>
    !isOffset && (end === undefined ? periodId === newest?.periodId : start <= at && at < end)
  const rotating = seen.flatMap((period, i): readonly Period[] => {
    const record = recordOf.get(period.periodId)
    if (record === undefined) return []
    const next = seen.slice(i + 1).find(({ start }) => start > period.start)
    const end = period.end ?? next?.start ?? (period.periodId === newest?.periodId ? schedule?.nextStart : undefined)
    return [toPeriod(record, isCurrent(period) ? 'current' : 'issued', period, end)]
  })
  // A content without periods has the same keys since its first request.
  const unchanging = recordOf.get('')
  return unchanging === undefined
    ? rotating
    : [toPeriod(unchanging, 'current', { start: unchanging.firstAt }, undefined), ...rotating]
}

function toPeriod(
  record: LedgerRecord,
  state: ListedPeriod['state'],
  { start, end: written, isOffset = false }: Partial<SeenPeriod> & Pick<SeenPeriod, 'start'>,
  end: number | undefined,
): Period {
  const { periodStart, periodEnd, keys, firstAt, lastAt } = record
  return {
    state,
    periodId: record.periodId === '' ? undefined : record.periodId,
    index: record.periodIndex,
    start: isOffset ? undefined : start,
    end: isOffset ? undefined : end,
    times: isOffset || written !== undefined ? 'document' : 'observed',
    startOffset: isOffset ? periodStart : undefined,
    endOffset: isOffset ? periodEnd : undefined,
    keys: keys.map(({ kid, contentKeyClass, commonEncryptionScheme, intendedTrackTypes }) => {
      return { kid, class: contentKeyClass, commonEncryptionScheme, intendedTrackTypes }
    }),
    firstAt: new Date(firstAt).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
  }
}

function expectedPeriods(schedule: RotationSchedule | undefined, count: number): readonly Period[] {
  if (schedule === undefined) return []
  const { nextStart, intervalMs } = schedule
  return Array.from({ length: count }, (_, i) => ({
    state: 'expected',
    periodId: undefined,
    index: indexAfter(schedule, i + 1),
    start: nextStart + i * intervalMs,
    end: nextStart + (i + 1) * intervalMs,
    times: 'computed',
    startOffset: undefined,
    endOffset: undefined,
    keys: [],
    firstAt: undefined,
    lastAt: undefined,
  }))
}

function toListed(period: Period): ListedPeriod {
  const { start, end } = period
  return {
    ...period,
    start: start === undefined ? undefined : iso(start),
    end: end === undefined ? undefined : iso(end),
  }
}

function iso(at: number): string {
  return new Date(at).toISOString()
}
