import { wrongUsage } from '../../../core/errors.ts'
import type { SpekeVersion } from '../../../protocols/speke/tables/versions.ts'
import { nameUuid } from './name-uuid.ts'

/** The timing of a key period, with the names of MediaPackage v2. */
export const PERIOD_TIMINGS = ['INDEX_ONLY', 'START_END_ONLY', 'INDEX_WITH_START_END'] as const
export type PeriodTiming = (typeof PERIOD_TIMINGS)[number]

/** A ContentKeyPeriod of a request. */
export interface RequestedPeriod {
  readonly id: string
  readonly number: number
  /** The attributes other than id, in order. */
  readonly attributes: readonly (readonly [name: string, value: string])[]
}

export interface PeriodPlan {
  readonly contentId: string
  readonly version: SpekeVersion
  readonly count: number
  readonly firstIndex: number
  /** Length of each period in seconds. */
  readonly interval: number | undefined
  readonly timing: PeriodTiming | undefined
  /** Start of the first period in milliseconds since 1970. Undefined for VOD, which has offsets into the content. */
  readonly start: number | undefined
}

/**
 * Returns consecutive key periods. Only SPEKE 2.1 has times: `start` and `end` for live, offsets for VOD. Throws
 * ERR_USAGE_INVALID for a timing that the SPEKE version does not support, or without an interval.
 */
export function periodsOf(plan: PeriodPlan): readonly RequestedPeriod[] {
  const { contentId, version, count, firstIndex, interval, start } = plan
  const hasTimes = version.periodBounds === 'index-or-interval'
  const timing = plan.timing ?? (hasTimes && interval !== undefined ? 'INDEX_WITH_START_END' : 'INDEX_ONLY')
  if (timing !== 'INDEX_ONLY' && !hasTimes)
    throw wrongUsage(`the timing ${timing} requires SPEKE 2.1, the request has ${version.header}: use --speke 2.1`)
  if (timing !== 'INDEX_ONLY' && interval === undefined)
    throw wrongUsage(`the timing ${timing} requires the length of a period: set --interval SECONDS`)
  return Array.from({ length: count }, (_, i) => {
    const number = firstIndex + i
    const attributes: [string, string][] = []
    if (timing !== 'START_END_ONLY') attributes.push(['index', String(number)])
    if (timing !== 'INDEX_ONLY') attributes.push(...intervalOf(i, interval ?? 0, start))
    return { id: `keyPeriod_${nameUuid('period', contentId, String(number))}`, number, attributes }
  })
}

function intervalOf(i: number, interval: number, start: number | undefined): [string, string][] {
  if (start === undefined) {
    return [
      ['startOffset', `PT${i * interval}S`],
      ['endOffset', `PT${(i + 1) * interval}S`],
    ]
  }
  const time = (at: number): string => new Date(at).toISOString().replace('.000Z', 'Z')
  return [
    ['start', time(start + i * interval * 1000)],
    ['end', time(start + (i + 1) * interval * 1000)],
  ]
}
