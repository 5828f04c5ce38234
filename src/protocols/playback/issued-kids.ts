import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { type ContentKeyClass, guidBytes, type Kid, kidOfBytes } from '../../formats/cenc.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { IssuedKidStore } from '../../keys/ports/ledger-store.ts'

interface IssuedKidsOptions {
  readonly store: Pick<IssuedKidStore, 'findIssued'>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly wait: (ms: number) => Promise<void>
  /** Receives a content whose kids are used without a look at the record, because the store is unavailable. */
  readonly onUnconfirmed: (ref: ContentRef, error: KeyProviderError) => void
}

/** What is recorded about the kids of one player request. */
export interface KidRecord {
  /** Whether a kid without a record was never issued. If false, the record may be incomplete, or the store is unavailable. */
  readonly isConclusive: boolean
  /** The classes in which a kid was issued; empty for a kid without a record. */
  classesOf(kid: Kid): ReadonlySet<ContentKeyClass>
  /** Whether the kid with its bytes in the other order was issued. */
  isSwapped(kid: Kid): boolean
}

interface Known {
  readonly classes: ReadonlySet<ContentKeyClass>
  readonly until: number
}

const MAX_BYTES = 32 * 1024 * 1024
/** An issued kid keeps its class. A second class is rare, and is logged when it is recorded. */
const KNOWN_MS = 60_000
/** A player that repeats a request for an unknown kid does not wait again for this time. */
const UNKNOWN_MS = 2_000
/** Nodes write their records within a second of the answer. Milliseconds before each look at the store. */
const LOOKS_MS = [0, 300, 900, 1_300]
/** How many requests may wait for records at a time. */
const MAX_WAITING = 500

const NONE: ReadonlySet<ContentKeyClass> = new Set()

/** Finds out whether kids were issued, from the store and from the answers of this process. */
export class IssuedKids {
  readonly #options: IssuedKidsOptions
  readonly #known = new BoundedCache<Known>({ maxBytes: MAX_BYTES, sizeOf: () => 64 })
  readonly #noted = new WeakSet<readonly LedgerEntry[]>()
  #waiting = 0

  constructor(options: IssuedKidsOptions) {
    this.#options = options
  }

  /** Notes the kids of an answer: a player may ask for them before they are in the store. */
  note(entries: readonly LedgerEntry[]): void {
    if (this.#noted.has(entries)) return
    this.#noted.add(entries)
    for (const entry of entries) {
      for (const { kid, contentKeyClass } of entry.keys) {
        const before = this.#known.get(idOf(entry, kid))?.classes ?? NONE
        this.#remember(entry, kid, new Set([...before, contentKeyClass]), KNOWN_MS)
      }
    }
  }

  /**
   * The record of `kids` of a stored content; `createdAt` is that of the content. Reads all kids in one query. For a kid without a
   * record, waits up to 2.5 s: records of other nodes may be on their way. Throws ERR_OVERLOADED if too many requests wait.
   */
  async find(ref: ContentRef, kids: readonly Kid[], createdAt: number | undefined): Promise<KidRecord> {
    const known = new Map(kids.flatMap((kid) => this.#knownOf(ref, kid)))
    const missing = new Set(kids.filter((kid) => !known.has(kid)))
    const swapped = new Set<Kid>()
    let isConclusive = createdAt !== undefined
    try {
      for (const ms of LOOKS_MS) {
        if (missing.size === 0) break
        if (ms > 0) await this.#wait(ms)
        const wanted = [...missing].flatMap((kid) => [kid, swap(kid)])
        const { issued, completeSince } = await this.#options.store.findIssued(ref, wanted)
        isConclusive &&= (createdAt ?? 0) >= completeSince
        const found = Map.groupBy(issued, ({ kid }) => kid)
        for (const kid of missing) {
          const own = found.get(kid)
          if (own !== undefined) {
            const classes = new Set(own.map((one) => one.contentKeyClass))
            known.set(kid, classes)
            this.#remember(ref, kid, classes, KNOWN_MS)
          } else if (found.has(swap(kid))) {
            swapped.add(kid)
          }
          if (own !== undefined || swapped.has(kid)) missing.delete(kid)
        }
        if (!isConclusive) break
      }
      if (isConclusive) for (const kid of missing) this.#remember(ref, kid, NONE, UNKNOWN_MS)
    } catch (error) {
      if (!(error instanceof KeyProviderError) || error.code !== 'ERR_STORE_UNAVAILABLE') throw error
      isConclusive = false
      this.#options.onUnconfirmed(ref, error)
    }
    return {
      isConclusive,
      classesOf: (kid) => known.get(kid) ?? NONE,
      isSwapped: (kid) => swapped.has(kid),
    }
  }

  #knownOf(ref: ContentRef, kid: Kid): readonly (readonly [Kid, ReadonlySet<ContentKeyClass>])[] {
    const known = this.#known.get(idOf(ref, kid))
    return known !== undefined && this.#options.now() < known.until ? [[kid, known.classes]] : []
  }

  #remember(ref: ContentRef, kid: Kid, classes: ReadonlySet<ContentKeyClass>, ms: number): void {
    this.#known.set(idOf(ref, kid), { classes, until: this.#options.now() + ms })
  }

  async #wait(ms: number): Promise<void> {
    if (this.#waiting >= MAX_WAITING) {
      throw new KeyProviderError(
        'ERR_OVERLOADED',
        `${MAX_WAITING} requests already wait for the record of issued keys. Retry in a few seconds.`,
      )
    }
    this.#waiting++
    try {
      await this.#options.wait(ms)
    } finally {
      this.#waiting--
    }
  }
}

/** The kid with its first three fields in the other byte order, as in Microsoft GUIDs. */
function swap(kid: Kid): Kid {
  return kidOfBytes(guidBytes(kid))
}

function idOf({ tenant, contentId }: ContentRef, kid: Kid): string {
  return `${tenant.length}:${tenant}${kid}${contentId}`
}
