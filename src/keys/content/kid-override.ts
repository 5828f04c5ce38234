import type { Kid } from '../../formats/cenc.ts'
import type { KidOverride } from '../ports/content-store.ts'

/** What a rule may match a content key by. */
export interface RuledKey {
  readonly intendedTrackTypes: readonly string[]
  /** The indexes of the key periods it is for. */
  readonly periodIndexes: readonly (number | undefined)[]
}

/**
 * The kid that the rules give a content key, or undefined when none matches. The most specific rule wins: track type and
 * period, then track type, then period, then neither. @see speke.md 10, A-21
 */
export function overriddenKid(rules: readonly KidOverride[], key: RuledKey): Kid | undefined {
  let best: KidOverride | undefined
  for (const rule of rules) if (matches(rule, key) && (best === undefined || weight(rule) > weight(best))) best = rule
  return best?.kid
}

function matches({ intendedTrackType, periodIndex }: KidOverride, key: RuledKey): boolean {
  if (intendedTrackType !== undefined && !key.intendedTrackTypes.includes(intendedTrackType)) return false
  return periodIndex === undefined || key.periodIndexes.includes(periodIndex)
}

function weight({ intendedTrackType, periodIndex }: KidOverride): number {
  return (intendedTrackType === undefined ? 0 : 2) + (periodIndex === undefined ? 0 : 1)
}
