import { createHash } from 'node:crypto'
import { wrongUsage } from '../../../core/errors.ts'
import { type Kid, kidOfBytes, uuidBytes } from '../../../formats/cenc.ts'
import type { SpekeVersion } from '../../../protocols/speke/tables/versions.ts'

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

/** Returns the version 5 UUID of a name; equal parts always give the same UUID. @see RFC 9562, 5.5 */
export function nameUuid(...parts: readonly string[]): Kid {
  const name = JSON.stringify(parts)
  const bytes = createHash('sha1').update(uuidBytes(NAMESPACE)).update(name).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return kidOfBytes(bytes)
}

/** The namespace of these names, which keeps them apart from other version 5 UUIDs. */
const NAMESPACE = '5f0f1c1e-6a53-4d5b-9d0e-2c1b7a4f8e63' as Kid
