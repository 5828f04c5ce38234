import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import { graceOf, MAX_MISSED, type OverdueOptions, overdueAt, scheduleOf, tellOverdue } from './overdue.ts'

export interface RotationWatcher {
  /** Told of each period that is asked for. Takes no time to speak of and never throws. */
  issued(period: Pick<LedgerRecord, 'tenant' | 'contentId' | 'periodId' | 'periodIndex'>): void
  /** Looks for requests that did not come; how many this node told of. Called every few seconds. */
  tick(): Promise<number>
}

export interface RotationWatcherOptions extends OverdueOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Told that the store could not be asked: nothing was told of, and the next tick asks again. */
  readonly onError: (error: unknown) => void
  /** How many contents are watched; those that were heard of longest ago are forgotten first. */
  readonly maxContents?: number
}

/** What is known here of a content that may rotate. The ledger knows better, and is asked before anything is told. */
interface Watched {
  readonly ref: ContentRef
  /** The periods heard of last, the newest at the end. */
  recent: readonly string[]
  index: number | undefined
  heardAt: number
  /** When to ask the ledger. */
  dueAt: number
  missed: number
}

const RECENT = 8
/** When the ledger is asked for a content of which one period was heard of here. */
const PROBE_MS = 300_000
const SHORTEST_MS = 1_000
const TOGETHER = 16

/** Watches for periods that should have been asked for, so that a stalled encryptor is seen before players are. */
export function createRotationWatcher(options: RotationWatcherOptions): RotationWatcher {
  const { now, onError, rotation, maxContents = 50_000 } = options
  const contents = new Map<string, Watched>()
  let isTicking = false
  /** After an outage the ledger of other nodes comes late. */
  let quietUntil = Number.NEGATIVE_INFINITY

  /** Tells of every period of `watched` that is overdue, and sets when to ask again; forgets what does not rotate, or no more. */
  const check = async (id: string, watched: Watched, at: number): Promise<number> => {
    const { ref } = watched
    const schedule = await scheduleOf(options, ref)
    // Another period was asked for while the ledger was read.
    if (contents.get(id) !== watched) return 0
    if (schedule === undefined) {
      contents.delete(id)
      return 0
    }
    const known = schedule.last.periodId === watched.recent.at(-1) ? watched.missed : 0
    watched.recent = [...watched.recent, schedule.last.periodId].slice(-RECENT)
    const { told, missed } = await tellOverdue(options, { ref, schedule, at }, known)
    watched.missed = missed
    watched.dueAt = overdueAt(schedule, missed, options)
    if (missed === MAX_MISSED) contents.delete(id)
    return told
  }

  return {
    issued({ tenant, contentId, periodId, periodIndex }) {
      if (periodId === '') return
      const id = `${tenant.length}:${tenant}${contentId}`
      const watched = contents.get(id)
      if (watched?.recent.includes(periodId)) return
      const at = now()
      const ref = { tenant, contentId }
      const gapMs = watched === undefined ? 0 : (at - watched.heardAt) / grownBy(watched.index, periodIndex)
      const intervalMs = rotation?.(ref) ?? (gapMs < SHORTEST_MS ? PROBE_MS : gapMs)
      const recent = [...(watched?.recent ?? []), periodId].slice(-RECENT)
      contents.delete(id)
      const dueAt = at + intervalMs + graceOf(intervalMs, options)
      contents.set(id, { ref, recent, index: periodIndex, heardAt: at, dueAt, missed: 0 })
      const [oldest] = contents.size > maxContents ? contents.keys() : []
      if (oldest !== undefined) contents.delete(oldest)
    },

    async tick() {
      const at = now()
      if (isTicking || at < quietUntil) return 0
      isTicking = true
      let told = 0
      try {
        const due = [...contents].filter(([, { dueAt }]) => dueAt < at)
        for (let i = 0; i < due.length; i += TOGETHER) {
          const checked = due.slice(i, i + TOGETHER).map(([id, watched]) => check(id, watched, at))
          for (const one of await Promise.all(checked)) told += one
        }
      } catch (error) {
        quietUntil = at + graceOf(0, options)
        onError(error)
      } finally {
        isTicking = false
      }
      return told
    },
  }
}

/** How many periods lie between two indexes, at least 1. */
function grownBy(before: number | undefined, after: number | undefined): number {
  return before === undefined || after === undefined ? 1 : Math.max(1, after - before)
}
