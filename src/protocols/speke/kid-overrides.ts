import { KeyProviderError } from '../../core/errors.ts'
import type { Kid } from '../../formats/cenc.ts'
import { overriddenKid } from '../../keys/content/kid-override.ts'
import type { KidOverride } from '../../keys/ports/content-store.ts'
import type { RequestedKey } from './request.ts'

/** The kid each requested key is answered with, by the kid it came with. @see speke.md 10, A-21 */
export function answeredKids(keys: readonly RequestedKey[], rules: readonly KidOverride[]): ReadonlyMap<Kid, Kid> {
  const answered = new Map(keys.map((key) => [key.kid, answeredKid(key, rules)]))
  if (new Set(answered.values()).size < answered.size) {
    throw new KeyProviderError(
      'ERR_KID_CONFLICT',
      'the kid overrides of this content give two of the requested keys one kid; make them more specific (keyspring override list shows them)',
    )
  }
  return answered
}

function answeredKid({ kid, intendedTrackTypes, periods }: RequestedKey, rules: readonly KidOverride[]): Kid {
  if (rules.length === 0) return kid
  return overriddenKid(rules, { intendedTrackTypes, periodIndexes: periods.map(({ index }) => index) }) ?? kid
}
