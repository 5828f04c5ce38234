import type { Kid } from '../../formats/cenc.ts'
import { overrideKids } from '../../keys/content/kid-overrides.ts'
import type { KidOverride } from '../../keys/ports/content-store.ts'
import type { RequestedKey } from './request.ts'

/** The kid of each requested key in the answer, by its kid in the request. Throws ERR_KID_CONFLICT. */
export function answeredKids(keys: readonly RequestedKey[], rules: readonly KidOverride[]): ReadonlyMap<Kid, Kid> {
  const kids = overrideKids(
    keys.map(({ kid, intendedTrackTypes, periods }) => {
      return { kid, intendedTrackTypes, periodIndexes: periods.map(({ index }) => index) }
    }),
    rules,
  )
  return new Map(keys.map(({ kid }, at) => [kid, kids[at] ?? kid]))
}
