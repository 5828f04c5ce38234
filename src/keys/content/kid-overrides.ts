import type { Kid } from '../../formats/cenc.ts'
import type { KidOverride } from '../ports/content-store.ts'
import { kidConflict } from './errors.ts'

/** A requested key, with what a rule may match it by. */
export interface RuledKey {
  readonly kid: Kid
  readonly intendedTrackTypes: readonly string[]
  /** The indexes of its key periods. */
  readonly periodIndexes: readonly (number | undefined)[]
}

const TWO_OF_ONE_KID =
  'the kid overrides of this content give two of the requested keys the same kid. ' +
  'Make the overrides more specific; keyspring override list shows them.'

/** The kid that each key gets in the answer, in the order of `keys`. Throws ERR_KID_CONFLICT if two keys would share a kid. */
export function overrideKids(keys: readonly RuledKey[], rules: readonly KidOverride[]): readonly Kid[] {
  if (rules.length === 0) return keys.map(({ kid }) => kid)
  const seen = new Set<Kid>()
  return keys.map((key) => {
    const kid = overriddenKid(key, rules)
    if (seen.has(kid)) throw kidConflict(TWO_OF_ONE_KID)
    seen.add(kid)
    return kid
  })
}

/** The most specific rule wins: track type and period, then track type, then period, then neither. */
function overriddenKid(key: RuledKey, rules: readonly KidOverride[]): Kid {
  let best: KidOverride | undefined
  for (const rule of rules) if (matches(rule, key) && (best === undefined || weight(rule) > weight(best))) best = rule
  return best?.kid ?? key.kid
}

function matches({ intendedTrackType, periodIndex }: KidOverride, key: RuledKey): boolean {
  if (intendedTrackType !== undefined && !key.intendedTrackTypes.includes(intendedTrackType)) return false
  return periodIndex === undefined || key.periodIndexes.includes(periodIndex)
}

function weight({ intendedTrackType, periodIndex }: KidOverride): number {
  return (intendedTrackType === undefined ? 0 : 2) + (periodIndex === undefined ? 0 : 1)
}
