import type { Kid } from '../../formats/cenc.ts'
import type { KidQuery, LedgerRecord } from '../../keys/ports/ledger-store.ts'

/** Periods of a kid that are read of a content and class, unless fewer are asked for. */
export const PERIODS_OF_KID = 100
/** About so many periods of a kid are read in all. */
export const MAX_PERIODS_OF_KID = 1_000

/** The order of periods. */
export function newestFirst(a: LedgerRecord, b: LedgerRecord): number {
  return b.lastAt - a.lastAt || b.firstAt - a.firstAt
}

/** Out of all periods of a kid those that are meant. */
export function periodsOfKid(
  records: readonly LedgerRecord[],
  kid: Kid,
  { contentId, periods = PERIODS_OF_KID }: KidQuery = {},
): readonly LedgerRecord[] {
  const taken = new Map<string, number>()
  return records
    .filter((record) => contentId === undefined || record.contentId === contentId)
    .sort((a, b) => b.firstAt - a.firstAt)
    .filter((record) => {
      const places = record.keys.filter((key) => key.kid === kid).map((key) => key.contentKeyClass + record.contentId)
      const isWanted = places.some((place) => (taken.get(place) ?? 0) < periods)
      for (const place of isWanted ? places : []) taken.set(place, (taken.get(place) ?? 0) + 1)
      return isWanted
    })
    .slice(0, MAX_PERIODS_OF_KID)
    .sort(newestFirst)
}
