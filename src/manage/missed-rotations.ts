import type { ContentRef, LedgerRecord, LedgerStore } from '../keys/store.ts'
import { claim, type Happening, happeningId } from './claim.ts'
import type { KeyspringEvent } from './events.ts'
import { indexAfter, type RotationSchedule, rotationSchedule, seenPeriods } from './rotation.ts'
import type { IdempotencyStore } from './store.ts'

/** A key period that no encryptor asked for in time. */
export interface MissedRotation extends ContentRef {
  /** The index it would have; undefined where periods have none. */
  readonly periodIndex: number | undefined
  /** The newest period that was asked for, and how many after it this one comes. */
  readonly lastPeriodId: string
  readonly after: number
  /** When the request was due, milliseconds since 1970. */
  readonly expectedAt: number
  readonly intervalMs: number
}

export interface RotationWatcher {
  /** Told of each period that is asked for. Takes no time to speak of and never throws. */
  issued(period: Pick<LedgerRecord, 'tenant' | 'contentId' | 'periodId' | 'periodIndex'>): void
  /** Looks for requests that did not come; how many this node told of. Called every few seconds. */
  tick(): Promise<number>
}

export interface RotationWatcherOptions {
  /** The ledger is shared: another node may have been asked. */
  readonly store: Pick<LedgerStore, 'findByContent'> & IdempotencyStore
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Called once for each missed period, on one of the nodes. */
  readonly onMissed: (missed: MissedRotation) => void
  /** Told that the store could not be asked: nothing was told of, and the next tick asks again. */
  readonly onError: (error: unknown) => void
  /** How often a content changes its keys where that is configured, in milliseconds. */
  readonly rotation?: ((ref: ContentRef) => number | undefined) | undefined
  /** How late a request may be; half an interval where that is more. */
  readonly graceMs?: number
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

/** A content that missed so many periods has stopped. */
const MAX_MISSED = 3
const RECENT = 8
/** When the ledger is asked for a content of which one period was heard of here. */
const PROBE_MS = 300_000
const SHORTEST_MS = 1_000
const TOGETHER = 16
const SAMPLED_PERIODS = 32

/** Watches for periods that should have been asked for, so that a stalled encryptor is seen before players are. */
export function createRotationWatcher(options: RotationWatcherOptions): RotationWatcher {
  const { store, now, onMissed, onError, rotation, graceMs = 30_000, maxContents = 50_000 } = options
  const contents = new Map<string, Watched>()
  let isTicking = false
  /** After an outage the ledger of other nodes comes late. */
  let quietUntil = Number.NEGATIVE_INFINITY

  const graceOf = (intervalMs: number): number => Math.max(graceMs, intervalMs / 2)

  /** Tells of every period of `watched` that is overdue, and sets when to ask again; forgets what does not rotate, or no more. */
  const check = async (id: string, watched: Watched, at: number): Promise<number> => {
    const { ref, missed } = watched
    const schedule = rotationSchedule(seenPeriods(await store.findByContent(ref, SAMPLED_PERIODS)), rotation?.(ref))
    // Another period was asked for while the ledger was read.
    if (contents.get(id) !== watched) return 0
    let told = 0
    watched.missed = schedule?.last.periodId === watched.recent.at(-1) ? missed : 0
    if (schedule !== undefined && schedule.confidence !== 'low') {
      watched.recent = [...watched.recent, schedule.last.periodId].slice(-RECENT)
      for (;;) {
        watched.dueAt = dueOf(schedule, watched.missed) + graceOf(schedule.intervalMs)
        if (at <= watched.dueAt) return told
        if (await tell(ref, schedule, watched.missed + 1, at)) told++
        watched.missed++
        if (watched.missed >= MAX_MISSED) break
      }
    }
    contents.delete(id)
    return told
  }

  const tell = async (ref: ContentRef, schedule: RotationSchedule, after: number, at: number): Promise<boolean> => {
    const { last, intervalMs } = schedule
    const missed: MissedRotation = {
      ...ref,
      periodIndex: indexAfter(schedule, after),
      lastPeriodId: last.periodId,
      after,
      expectedAt: dueOf(schedule, after - 1),
      intervalMs,
    }
    if (!(await claim(store, happeningOf(missed), at))) return false
    onMissed(missed)
    return true
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
      const dueAt = at + intervalMs + graceOf(intervalMs)
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
        quietUntil = at + graceMs
        onError(error)
      } finally {
        isTicking = false
      }
      return told
    },
  }
}

/** The event that tells of a missed rotation: the same on every node. */
export function missedRotationEvent(missed: MissedRotation): KeyspringEvent {
  const { tenant, contentId, periodIndex, lastPeriodId, expectedAt, intervalMs } = missed
  return {
    type: 'rotation.missed',
    tenant,
    contentId,
    at: expectedAt,
    id: happeningId(happeningOf(missed)),
    data: {
      ...(periodIndex === undefined ? {} : { periodIndex }),
      lastPeriodId,
      expectedAt: new Date(expectedAt).toISOString(),
      intervalSeconds: intervalMs / 1_000,
    },
  }
}

function happeningOf({ tenant, contentId, lastPeriodId, after, periodIndex }: MissedRotation): Happening {
  return { tenant, parts: ['rotation.missed', contentId, lastPeriodId, after, periodIndex ?? ''] }
}

/** When the request for the period after `missed` missed ones is due. */
function dueOf({ nextRequest, intervalMs }: RotationSchedule, missed: number): number {
  return nextRequest + missed * intervalMs
}

/** How many periods lie between two indexes, at least 1. */
function grownBy(before: number | undefined, after: number | undefined): number {
  return before === undefined || after === undefined ? 1 : Math.max(1, after - before)
}
