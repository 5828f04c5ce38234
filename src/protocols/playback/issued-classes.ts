import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { LedgerStore } from '../../keys/ports/ledger-store.ts'

/** The classes in which a kid of a content was issued, as far as the ledger knows: none when it does not. */
export type IssuedClasses = (
  ref: ContentRef,
  kid: Kid,
) => ReadonlySet<ContentKeyClass> | Promise<ReadonlySet<ContentKeyClass>>

export interface IssuedClassesOptions {
  readonly ledger: Pick<LedgerStore, 'findByKid'>
  /** Milliseconds, of a clock that does not go back. */
  readonly now: () => number
}

interface Remembered {
  /** While the ledger is asked, the promise of its answer. */
  classes: ReadonlySet<ContentKeyClass> | Promise<ReadonlySet<ContentKeyClass>>
  until: number
}

/** A kid that was issued keeps its class; a second one is rare, and logged when it comes. */
const KNOWN_MS = 60_000
/** The ledger is written up to a second late: what it does not know, it may know soon. */
const UNKNOWN_MS = 1_000

/** About 40,000 kids. */
const MAX_REMEMBERED_BYTES = 32 * 1024 * 1024

const NONE: ReadonlySet<ContentKeyClass> = new Set()

/** Asks the ledger and remembers: players ask for one key many times. */
export function issuedClasses(options: IssuedClassesOptions): IssuedClasses {
  const { ledger, now } = options
  const remembered = new BoundedCache<Remembered>({ maxBytes: MAX_REMEMBERED_BYTES, sizeOf: () => 500 })

  const ask = async ({ tenant, contentId }: ContentRef, kid: Kid): Promise<ReadonlySet<ContentKeyClass>> => {
    try {
      const records = await ledger.findByKid(tenant, kid, { contentId, periods: 1 })
      const keys = records.flatMap((record) => record.keys)
      return new Set(keys.filter((key) => key.kid === kid).map((key) => key.contentKeyClass))
    } catch (error) {
      // The ledger is a report: while it is away, answers are given without it.
      if (error instanceof KeyProviderError && error.code === 'ERR_STORE_UNAVAILABLE') return NONE
      throw error
    }
  }

  return (ref, kid) => {
    const { tenant, contentId } = ref
    const id = `${tenant.length} ${tenant} ${kid} ${contentId}`
    const known = remembered.get(id)
    if (known !== undefined && now() < known.until) return known.classes
    const answer = ask(ref, kid)
    const asked: Remembered = { classes: answer, until: now() + UNKNOWN_MS }
    remembered.set(id, asked)
    answer.then(
      (classes) => {
        asked.classes = classes
        if (classes.size > 0) asked.until = now() + KNOWN_MS
      },
      () => {
        asked.until = 0
      },
    )
    return answer
  }
}
