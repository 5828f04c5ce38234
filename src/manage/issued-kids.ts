import type { Kid } from '../cenc.ts'
import type { LedgerRecord, LedgerStore, Tenant } from '../keys/store.ts'

/** The records of a kid by content, the newest first. */
export type RecordsByContent = ReadonlyMap<string, readonly LedgerRecord[]>

export interface IssuedKidsQuery {
  readonly tenant: Tenant
  /** Only this content. */
  readonly contentId: string | undefined
  readonly kids: readonly Kid[]
}

/** More kids of one content than this are looked for in its newest periods first. */
const FEW = 4
const NEWEST_PERIODS = 64
/** So many are looked for at once, so that other readers of the store get their turn. */
const TOGETHER = 32

/** Where each kid was issued, as far as the ledger knows; nothing for a kid that it does not know. */
export async function issuedKids(
  store: Pick<LedgerStore, 'findByContent' | 'findByKid'>,
  { tenant, contentId, kids }: IssuedKidsQuery,
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
  for (let i = 0; i < others.length; i += TOGETHER) {
    await Promise.all(
      others.slice(i, i + TOGETHER).map(async (kid) => {
        const records = await store.findByKid(tenant, kid)
        const wanted = records.filter((record) => contentId === undefined || record.contentId === contentId)
        if (wanted.length > 0)
          found.set(
            kid,
            Map.groupBy(wanted, (record) => record.contentId),
          )
      }),
    )
  }
  return found
}
