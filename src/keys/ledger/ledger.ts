import { type Schedule, WriteQueue } from '../../core/write-queue.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { LedgerRecord, LedgerStore } from '../ports/ledger-store.ts'
import { mergeLedgerRecords } from './merge.ts'

/** What is recorded of a request, without its time. Build it once and give the same object each time: that is the cheap way. */
export type LedgerEntry = Omit<LedgerRecord, 'firstAt' | 'lastAt' | 'requests' | 'keepUntil'>

/** A kid that was issued both as `clear` and as `drm`. */
export type LedgerConflict = ContentRef & { readonly kid: Kid }

/** The report of what was issued. It is written late and may be lost; no answer waits for it. */
export interface Ledger {
  /** Counts a request for the period of `entry`. Never throws. */
  record(entry: LedgerEntry): void
  /** Writes what was recorded so far. A failure goes to `onError`; the records are kept for the next time. */
  flush(): Promise<void>
  /** How many records wait to be written. */
  waiting(): number
  /** Writes what is left. What cannot be written is lost, and counted. */
  close(): Promise<void>
}

export interface LedgerOptions {
  readonly store: LedgerStore
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How long a period is kept after it was last asked for, in milliseconds; undefined: for ever. Seven days without it. */
  readonly keepMs?: (ref: ContentRef) => number | undefined
  /** How long a record waits at most before it is written. */
  readonly flushMs?: number
  /** How many records may wait. */
  readonly maxRecords?: number
  /** Told how many requests went unrecorded. */
  readonly onLoss?: (requests: number) => void
  readonly onConflict?: (conflicts: readonly LedgerConflict[]) => void
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

interface Waiting {
  entry: LedgerEntry
  readonly firstAt: number
  lastAt: number
  requests: number
  /** Whether a write took it: it counts no more requests. */
  isTaken: boolean
}

/** Records are written in batches of this size, so that other writes come between. */
const BATCH = 200
const KEEP_MS = 7 * 86_400_000

export function createLedger(options: LedgerOptions): Ledger {
  const { store, now, flushMs = 1_000, maxRecords = 50_000 } = options
  const { onLoss = () => {}, onConflict = () => {}, onError = () => {}, keepMs = () => KEEP_MS } = options
  /** By the caller's object, which is the fast way and must not keep it alive. */
  const byEntry = new WeakMap<LedgerEntry, Waiting>()

  const toRecord = ({ entry, firstAt, lastAt, requests }: Waiting): LedgerRecord => {
    const kept = keepMs(entry)
    return { ...entry, firstAt, lastAt, requests, keepUntil: kept === undefined ? undefined : lastAt + kept }
  }

  /** Counts both where the older one counts: a long outage must not fill the memory with repetitions of one period. */
  const join = (older: Waiting, newer: Waiting): Waiting => {
    const { keys, lastAt, requests } = mergeLedgerRecords(toRecord(older), toRecord(newer))
    newer.isTaken = true
    return Object.assign(older, { entry: { ...newer.entry, keys }, lastAt, requests })
  }

  const queue = new WriteQueue<Waiting>({
    async write(items) {
      for (const one of items) one.isTaken = true
      const conflicts = await store.record(items.map(toRecord))
      if (conflicts.length > 0) onConflict(conflicts)
    },
    delayMs: flushMs,
    maxItems: maxRecords,
    maxBatch: BATCH,
    nameOf: ({ entry }) => periodKey(entry),
    join,
    onFailure(error, waiting) {
      onError(error)
      for (const one of waiting) one.isTaken = false
      return waiting
    },
    onLoss: (items) => onLoss(items.reduce((sum, { requests }) => sum + requests, 0)),
    schedule: options.schedule,
  })

  return {
    record(entry) {
      const at = now()
      const known = byEntry.get(entry)
      if (known !== undefined && !known.isTaken) {
        known.requests++
        known.lastAt = at
      } else if (queue.add({ entry, firstAt: at, lastAt: at, requests: 1, isTaken: false })) {
        const waiting = queue.find(periodKey(entry))
        if (waiting !== undefined) byEntry.set(entry, waiting)
      }
    },
    flush: () => queue.flush(),
    waiting: () => queue.size,
    close: () => queue.close(),
  }
}

export interface PruneOptions {
  readonly store: Pick<LedgerStore, 'prune'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly batch?: number
}

/** Forgets the periods that need not be kept any more, some at a time; how many were forgotten. */
export async function pruneLedger({ store, now, batch = 500 }: PruneOptions): Promise<number> {
  const before = now()
  let total = 0
  for (let pruned = batch; pruned === batch; total += pruned) pruned = await store.prune(before, batch)
  return total
}

function periodKey({ tenant, contentId, periodId }: LedgerEntry): string {
  return JSON.stringify([tenant, contentId, periodId])
}
