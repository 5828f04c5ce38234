import { BoundedCache } from '../../core/bounded-cache.ts'
import type { Issued } from '../../http/route.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { LedgerStore } from '../../keys/ports/ledger-store.ts'
import { claimIdOf } from '../../operations/claim.ts'
import { keyIssued } from '../../operations/events/of.ts'
import type { Emit } from '../../operations/ports/events.ts'

/** Tells of the first keys of a content, and of those of each new key period. */
export interface IssueEvents {
  /** Takes no time to speak of and never throws. */
  issued(issued: Issued, entries: readonly LedgerEntry[]): void
}

export interface IssueEventsOptions {
  readonly emit: Emit
  /** Knows the periods that other nodes, and this one before it was started, have told of. */
  readonly store: Pick<LedgerStore, 'findByContent'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

/** About 100,000 key periods. */
const MAX_KNOWN_BYTES = 24 * 1024 * 1024
const MAX_ASKING = 64
const LOOKED_AT = 100
/** The ledger is written this late at most: what is older was told of. */
const FLUSHED_MS = 5_000

/** Nobody is told. */
export const NO_ISSUE_EVENTS: IssueEvents = { issued() {} }

/**
 * Tells of a period that this process has not seen before, unless the ledger has. A receiver may hear of one twice, from two nodes,
 * with the same id; never of one that is asked for again later.
 */
export function createIssueEvents({ emit, store, now, onError }: IssueEventsOptions): IssueEvents {
  const known = new BoundedCache<true>({ maxBytes: MAX_KNOWN_BYTES, sizeOf: () => 0 })
  let asking = 0

  const isNew = async ({ tenant, contentId, periodId }: LedgerEntry, at: number): Promise<boolean> => {
    const records = await store.findByContent({ tenant, contentId }, LOOKED_AT)
    return !records.some((record) => record.periodId === periodId && record.firstAt < at - FLUSHED_MS)
  }

  return {
    issued({ first, client }, entries) {
      const at = now()
      for (const entry of entries) {
        const { tenant, contentId, periodId, keys, spekeVersion } = entry
        const id = claimIdOf({ tenant, parts: ['key.issued', contentId, periodId] })
        if (known.get(id) === true) continue
        known.set(id, true)
        const kids = keys.map(({ kid }) => kid)
        const systemIds = [...new Set(keys.flatMap((key) => key.systemIds))]
        const tell = (): void =>
          emit({ ...keyIssued({ tenant, contentId, at, kids, systemIds, client, spekeVersion }), id })
        if (first) tell()
        // A content without periods has the same keys from its first request on.
        else if (periodId !== '' && asking < MAX_ASKING) {
          asking++
          isNew(entry, at)
            .then((is) => (is ? tell() : undefined), onError)
            .finally(() => asking--)
        }
      }
    },
  }
}
