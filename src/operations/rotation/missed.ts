import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import { emitOverdue, graceOf, MAX_MISSED, type OverdueOptions, overdueAt, scheduleOf } from './overdue.ts'

export interface RotationWatcher {
  /** Records a requested period. Fast; never throws. */
  issued(period: Pick<LedgerRecord, 'tenant' | 'contentId' | 'periodId' | 'periodIndex'>): void
  /** Looks for overdue requests; call it every few seconds. Returns how many this node reported. */
  tick(): Promise<number>
}

interface RotationWatcherOptions extends OverdueOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Receives the error of an unavailable store. Nothing was reported; the next tick tries again. */
  readonly onError: (error: unknown) => void
  /** The limit of watched contents. The contents with the oldest requests are dropped first. */
  readonly maxContents?: number
}

/** What this node knows of a content that may rotate. The ledger is complete, and is read before anything is reported. */
interface Watched {
  readonly ref: ContentRef
  /** The last requested periods, the newest at the end. */
  recent: readonly string[]
  index: number | undefined
  requestedAt: number
  /** When to read the ledger. */
  dueAt: number
  missed: number
}

const RECENT = 8
/** When the ledger is read for a content with one known period, in milliseconds after it. */
const PROBE_MS = 300_000
const SHORTEST_MS = 1_000
const TOGETHER = 16

/** Watches for overdue requests, so that a stalled encryptor is noticed before its players fail. */
export function createRotationWatcher(options: RotationWatcherOptions): RotationWatcher {
  const { now, onError, rotation, maxContents = 50_000 } = options
  const contents = new Map<string, Watched>()
  let isTicking = false
  /** After an outage, the records of other nodes arrive late. */
  let quietUntil = Number.NEGATIVE_INFINITY

  /** Reports every overdue period of `watched`, and sets the next check. Drops a content that does not rotate, or has stopped. */
  const check = async (id: string, watched: Watched, at: number): Promise<number> => {
    const { ref } = watched
    const schedule = await scheduleOf(options, ref)
    // Another period was requested while the ledger was read.
    if (contents.get(id) !== watched) return 0
    if (schedule === undefined) {
      contents.delete(id)
      return 0
    }
    const known = schedule.last.periodId === watched.recent.at(-1) ? watched.missed : 0
    watched.recent = [...watched.recent, schedule.last.periodId].slice(-RECENT)
    const { emitted, missed } = await emitOverdue(options, { ref, schedule, at }, known)
    watched.missed = missed
    watched.dueAt = overdueAt(schedule, missed, options)
    if (missed === MAX_MISSED) contents.delete(id)
    return emitted
  }

  return {
    issued({ tenant, contentId, periodId, periodIndex }) {
      if (periodId === '') return
      const id = `${tenant.length}:${tenant}${contentId}`
      const watched = contents.get(id)
      if (watched?.recent.includes(periodId)) return
      const at = now()
      const ref = { tenant, contentId }
      const gapMs = watched === undefined ? 0 : (at - watched.requestedAt) / grownBy(watched.index, periodIndex)
      const intervalMs = rotation?.(ref) ?? (gapMs < SHORTEST_MS ? PROBE_MS : gapMs)
      const recent = [...(watched?.recent ?? []), periodId].slice(-RECENT)
      contents.delete(id)
      const dueAt = at + intervalMs + graceOf(intervalMs, options)
      contents.set(id, { ref, recent, index: periodIndex, requestedAt: at, dueAt, missed: 0 })
      const [oldest] = contents.size > maxContents ? contents.keys() : []
      if (oldest !== undefined) contents.delete(oldest)
    },

    async tick() {
      const at = now()
      if (isTicking || at < quietUntil) return 0
      isTicking = true
      let emitted = 0
      try {
        const due = [...contents].filter(([, { dueAt }]) => dueAt < at)
        for (let i = 0; i < due.length; i += TOGETHER) {
          const checked = due.slice(i, i + TOGETHER).map(([id, watched]) => check(id, watched, at))
          for (const one of await Promise.all(checked)) emitted += one
        }
      } catch (error) {
        quietUntil = at + graceOf(0, options)
        onError(error)
      } finally {
        isTicking = false
      }
      return emitted
    },
  }
}

/** The number of periods between two indexes, at least 1. */
function grownBy(before: number | undefined, after: number | undefined): number {
  return before === undefined || after === undefined ? 1 : Math.max(1, after - before)
}
