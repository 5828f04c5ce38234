import { type Schedule, WriteQueue } from '../../core/write-queue.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { LedgerKey, LedgerRecord, LedgerStore } from '../ports/ledger-store.ts'

/** What the ledger records of a request, without its time. It is cheapest to pass the same object for the same answer each time. */
export type LedgerEntry = Omit<LedgerRecord, 'firstAt' | 'lastAt' | 'requests' | 'keepUntil'>

/** A kid that was issued both as `clear` and as `drm`. */
export type LedgerConflict = ContentRef & { readonly kid: Kid }

export interface LedgerOptions {
  readonly store: LedgerStore
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long a period is kept after its last request, in milliseconds; undefined: permanently. Default: seven days. */
  readonly keepMs?: (ref: ContentRef) => number | undefined
  /** How long a record waits at most before it is written, in milliseconds. */
  readonly flushMs?: number
  /** How many records may wait. */
  readonly maxRecords?: number
  /** Receives the number of requests that are not recorded. */
  readonly onLoss?: (requests: number) => void
  readonly onConflict?: (conflicts: readonly LedgerConflict[]) => void
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

/** The requests for one period that are not written yet. */
interface Waiting {
  entry: LedgerEntry
  readonly firstAt: number
  lastAt: number
  requests: number
  /** Whether a write has started: it counts no further requests. */
  isTaken: boolean
}

/** How many records one write holds, so that other writes can run in between. */
const BATCH = 200
const KEEP_MS = 7 * 86_400_000

/** The report of what was issued. Records are written later and may be lost: no answer waits for them. */
export class Ledger {
  readonly #options: LedgerOptions
  readonly #queue: WriteQueue<Waiting>
  /** By the caller's object, which is the fastest way to find one. Weak, so that it keeps no answer in memory. */
  readonly #byEntry = new WeakMap<LedgerEntry, Waiting>()

  constructor(options: LedgerOptions) {
    const { flushMs = 1_000, maxRecords = 50_000, onLoss = () => {}, onError = () => {} } = options
    this.#options = options
    this.#queue = new WriteQueue<Waiting>({
      write: (items) => this.#write(items),
      delayMs: flushMs,
      maxItems: maxRecords,
      maxBatch: BATCH,
      nameOf: ({ entry }) => periodKey(entry),
      join: (older, newer) => this.#join(older, newer),
      onFailure(error, waiting) {
        onError(error)
        for (const one of waiting) one.isTaken = false
        return waiting
      },
      onLoss: (items) => onLoss(items.reduce((sum, { requests }) => sum + requests, 0)),
      schedule: options.schedule,
    })
  }

  /** How many records wait to be written. */
  get waiting(): number {
    return this.#queue.size
  }

  /** Counts a request for the period of `entry`. Never throws. */
  record(entry: LedgerEntry): void {
    const at = this.#options.now()
    const known = this.#byEntry.get(entry)
    if (known !== undefined && !known.isTaken) {
      known.requests++
      known.lastAt = at
    } else if (this.#queue.add({ entry, firstAt: at, lastAt: at, requests: 1, isTaken: false })) {
      const waiting = this.#queue.find(periodKey(entry))
      if (waiting !== undefined) this.#byEntry.set(entry, waiting)
    }
  }

  /** Writes what was recorded so far. If the write fails, the records wait for the next one. */
  flush(): Promise<void> {
    return this.#queue.flush()
  }

  /** Writes what is left, and reports what cannot be written. */
  close(): Promise<void> {
    return this.#queue.close()
  }

  async #write(items: readonly Waiting[]): Promise<void> {
    for (const one of items) one.isTaken = true
    const conflicts = await this.#options.store.record(items.map((one) => this.#toRecord(one)))
    if (conflicts.length > 0) this.#options.onConflict?.(conflicts)
  }

  /** One record for each period, so that a long outage of the store does not fill the memory with repetitions. */
  #join(older: Waiting, newer: Waiting): Waiting {
    const { keys, lastAt, requests } = mergeLedgerRecords(this.#toRecord(older), this.#toRecord(newer))
    newer.isTaken = true
    return Object.assign(older, { entry: { ...newer.entry, keys }, lastAt, requests })
  }

  #toRecord({ entry, firstAt, lastAt, requests }: Waiting): LedgerRecord {
    const { keepMs = () => KEEP_MS } = this.#options
    const kept = keepMs(entry)
    return { ...entry, firstAt, lastAt, requests, keepUntil: kept === undefined ? undefined : lastAt + kept }
  }
}

function periodKey({ tenant, contentId, periodId }: LedgerEntry): string {
  return JSON.stringify([tenant, contentId, periodId])
}

/** Merges two records of the same key period. The later record describes the period; the keys are those of both. */
export function mergeLedgerRecords(a: LedgerRecord, b: LedgerRecord): LedgerRecord {
  const [earlier, later] = a.lastAt <= b.lastAt ? [a, b] : [b, a]
  return {
    ...later,
    keys: mergeKeys(earlier.keys, later.keys),
    firstAt: Math.min(a.firstAt, b.firstAt),
    lastAt: later.lastAt,
    requests: a.requests + b.requests,
  }
}

/** A string that identifies a key of the ledger within a content: a kid may be issued in both classes. */
export function ledgerKeyId({ kid, contentKeyClass }: Pick<LedgerKey, 'kid' | 'contentKeyClass'>): string {
  return `${contentKeyClass}:${kid}`
}

function mergeKeys(earlier: readonly LedgerKey[], later: readonly LedgerKey[]): readonly LedgerKey[] {
  if (earlier === later) return later
  const merged = new Map(earlier.map((key) => [ledgerKeyId(key), key]))
  for (const key of later) {
    const known = merged.get(ledgerKeyId(key))
    merged.set(ledgerKeyId(key), known === undefined ? key : mergeKey(known, key))
  }
  return [...merged.values()]
}

function mergeKey(earlier: LedgerKey, later: LedgerKey): LedgerKey {
  return {
    ...later,
    intendedTrackTypes: union(earlier.intendedTrackTypes, later.intendedTrackTypes),
    systemIds: union(earlier.systemIds, later.systemIds),
  }
}

function union<T>(a: readonly T[], b: readonly T[]): readonly T[] {
  return [...new Set([...a, ...b])]
}
