import { lateWrites, type Schedule } from '../../core/late-writes.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef, LedgerRecord, LedgerStore } from '../ports/store.ts'
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
}

/** Records are written in batches of this size, so that other writes come between. */
const BATCH = 200
const KEEP_MS = 7 * 86_400_000

export function createLedger(options: LedgerOptions): Ledger {
  const { store, now, flushMs = 1_000, maxRecords = 50_000 } = options
  const { onLoss = () => {}, onConflict = () => {}, onError = () => {}, keepMs = () => KEEP_MS } = options
  /** By the caller's object, which is the fast way and must not keep it alive, and by the period it stands for. */
  let byEntry = new WeakMap<LedgerEntry, Waiting>()
  let byPeriod = new Map<string, Waiting>()
  let failed: readonly LedgerRecord[] = []

  const record = (entry: LedgerEntry): void => {
    const at = now()
    const waiting = byEntry.get(entry) ?? join(entry, at)
    if (waiting === undefined) {
      onLoss(1)
    } else {
      waiting.requests++
      waiting.lastAt = at
    }
  }

  /** Where the requests of an object not seen since the last flush are counted; undefined when there is no room. */
  const join = (entry: LedgerEntry, at: number): Waiting | undefined => {
    const id = periodKey(entry)
    let waiting = byPeriod.get(id)
    if (waiting === undefined) {
      if (late.isClosed() || byPeriod.size + failed.length >= maxRecords) return undefined
      waiting = { entry, firstAt: at, lastAt: at, requests: 0 }
      byPeriod.set(id, waiting)
      late.soon()
    } else {
      const again = toRecord({ entry, firstAt: at, lastAt: at, requests: 0 })
      const { keys } = mergeLedgerRecords(toRecord(waiting), again)
      waiting.entry = { ...entry, keys }
    }
    byEntry.set(entry, waiting)
    return waiting
  }

  const toRecord = ({ entry, firstAt, lastAt, requests }: Waiting): LedgerRecord => {
    const kept = keepMs(entry)
    return { ...entry, firstAt, lastAt, requests, keepUntil: kept === undefined ? undefined : lastAt + kept }
  }

  /** Takes everything that waits and writes it, batch by batch; what a failure leaves waits again. */
  const write = async (): Promise<void> => {
    failed = mergeAll([...failed, ...Array.from(byPeriod.values(), toRecord)])
    byEntry = new WeakMap()
    byPeriod = new Map()
    try {
      while (failed.length > 0) {
        const conflicts = await store.record(failed.slice(0, BATCH))
        failed = failed.slice(BATCH)
        if (conflicts.length > 0) onConflict(conflicts)
      }
    } catch (error) {
      onError(error)
    }
  }

  const waiting = (): number => byPeriod.size + failed.length
  const late = lateWrites({ flushMs, write, isEmpty: () => waiting() === 0, schedule: options.schedule })

  return {
    record,
    flush: late.flush,
    waiting,
    async close() {
      await late.close()
      const lost = failed.reduce((sum, { requests }) => sum + requests, 0)
      if (lost > 0) onLoss(lost)
    },
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

/** Records of one period as one: a long outage must not fill the memory with its repetitions. */
function mergeAll(records: readonly LedgerRecord[]): readonly LedgerRecord[] {
  const merged = new Map<string, LedgerRecord>()
  for (const record of records) {
    const id = periodKey(record)
    const known = merged.get(id)
    merged.set(id, known === undefined ? record : mergeLedgerRecords(known, record))
  }
  return [...merged.values()]
}

function periodKey({ tenant, contentId, periodId }: LedgerEntry): string {
  return JSON.stringify([tenant, contentId, periodId])
}
