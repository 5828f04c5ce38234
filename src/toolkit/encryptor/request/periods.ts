import { KeyProviderError } from '../../../core/errors.ts'
import type { SpekeVersion } from '../../../protocols/speke/tables/versions.ts'
import { nameUuid } from './name-uuid.ts'

/** How a key period says when it is, in the words of MediaPackage v2. @see speke.md 8 */
export const PERIOD_TIMINGS = ['INDEX_ONLY', 'START_END_ONLY', 'INDEX_WITH_START_END'] as const
export type PeriodTiming = (typeof PERIOD_TIMINGS)[number]

/** A ContentKeyPeriod to ask for. */
export interface RequestedPeriod {
  readonly id: string
  readonly number: number
  /** Attributes beside the id, in order. */
  readonly attributes: readonly (readonly [name: string, value: string])[]
}

export interface PeriodPlan {
  readonly contentId: string
  readonly version: SpekeVersion
  readonly count: number
  readonly firstIndex: number
  /** Seconds each lasts. */
  readonly interval: number | undefined
  readonly timing: PeriodTiming | undefined
  /** Milliseconds since 1970 of the start of the first; undefined: offsets into the content (VOD). */
  readonly start: number | undefined
}

/** Key periods one after the other. SPEKE 2.1 alone has times: `start` and `end` live, offsets for VOD. @see speke.md 8 */
export function periodsOf(plan: PeriodPlan): readonly RequestedPeriod[] {
  const { contentId, version, count, firstIndex, interval, start } = plan
  const hasTimes = version.periodBounds === 'index-or-interval'
  const timing = plan.timing ?? (hasTimes && interval !== undefined ? 'INDEX_WITH_START_END' : 'INDEX_ONLY')
  if (timing !== 'INDEX_ONLY' && !hasTimes) throw wrong(`${timing} is of SPEKE 2.1, not ${version.header}`)
  if (timing !== 'INDEX_ONLY' && interval === undefined) throw wrong(`${timing} needs an interval`)
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

function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}
