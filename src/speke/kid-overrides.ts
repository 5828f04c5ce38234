import type { Kid } from '../cenc.ts'
import { KeyProviderError } from '../errors.ts'
import type { KidOverride } from '../keys/store.ts'
import type { RequestedKey } from './request.ts'

/**
 * The kid each requested key is answered with, by the kid it came with. The most specific rule wins: track type and period,
 * then track type, then period, then neither. @see speke.md 10, A-21
 */
export function answeredKids(keys: readonly RequestedKey[], rules: readonly KidOverride[]): ReadonlyMap<Kid, Kid> {
  const answered = new Map(keys.map((key) => [key.kid, bestRule(key, rules)?.kid ?? key.kid]))
  if (new Set(answered.values()).size < answered.size) {
    throw new KeyProviderError(
      'ERR_KID_CONFLICT',
      'the kid overrides of this content give two of the requested keys one kid; make them more specific (keyspring override list shows them)',
    )
  }
  return answered
}

function bestRule(key: RequestedKey, rules: readonly KidOverride[]): KidOverride | undefined {
  let best: KidOverride | undefined
  for (const rule of rules) if (matches(rule, key) && (best === undefined || weight(rule) > weight(best))) best = rule
  return best
}

function matches({ intendedTrackType, periodIndex }: KidOverride, key: RequestedKey): boolean {
  if (intendedTrackType !== undefined && !key.intendedTrackTypes.includes(intendedTrackType)) return false
  return periodIndex === undefined || key.periods.some(({ index }) => index === periodIndex)
}

function weight({ intendedTrackType, periodIndex }: KidOverride): number {
  return (intendedTrackType === undefined ? 0 : 2) + (periodIndex === undefined ? 0 : 1)
}
