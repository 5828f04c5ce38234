import { inGroups } from '../../core/in-groups.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { LedgerRecord, LedgerStore } from '../../keys/ports/ledger-store.ts'

/** The newest records of a kid in each class, by content. */
export type RecordsByContent = ReadonlyMap<string, readonly LedgerRecord[]>

export interface IssuedKidsQuery {
  readonly tenant: Tenant
  /** Only this content. */
  readonly contentId: string | undefined
  readonly kids: readonly Kid[]
  /** Whether a content may be looked at; without it, each. */
  readonly sees?: ((contentId: string) => boolean) | undefined
}

/** More kids of one content than this are looked for in its newest periods first. */
const FEW = 4
const NEWEST_PERIODS = 64

/** Where each kid was issued, as far as the ledger knows; nothing for a kid that it does not know. */
export async function issuedKids(
  store: Pick<LedgerStore, 'findByContent' | 'findByKid'>,
  { tenant, contentId, kids, sees = () => true }: IssuedKidsQuery,
): Promise<ReadonlyMap<Kid, RecordsByContent>> {
  const found = new Map<Kid, RecordsByContent>()
  if (contentId !== undefined && kids.length > FEW) {
    const newest = await store.findByContent({ tenant, contentId }, NEWEST_PERIODS)
    for (const kid of kids) {
      const records = newest.filter(({ keys }) => keys.some((key) => key.kid === kid))
      if (records.length > 0) found.set(kid, new Map([[contentId, records]]))
    }
  }
  const others = kids.filter((kid) => !found.has(kid))
  await inGroups(others, async (kid) => {
    const records = await store.findByKid(tenant, kid, { contentId, periods: 1 })
    const seen = records.filter((record) => sees(record.contentId))
    const byContent = Map.groupBy(seen, (record) => record.contentId)
    if (byContent.size > 0) found.set(kid, byContent)
  })
  return found
}
