import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { LedgerStore } from '../../keys/ports/ledger-store.ts'
import { CLAIM_MS, type ClaimableEvent, claim, claimIdOf } from '../claim.ts'
import type { KeyspringEvent } from '../ports/events.ts'
import type { IdempotencyStore } from '../ports/store.ts'
import { indexAfter, type RotationSchedule, rotationSchedule, seenPeriods } from './estimate.ts'

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

export interface OverdueOptions {
  /** The ledger is shared: another node may have been asked. */
  readonly store: Pick<LedgerStore, 'findByContent'> & IdempotencyStore
  /** Called once for each missed period, on one of the nodes. */
  readonly onMissed: (missed: MissedRotation) => void
  /** How often a content changes its keys where that is configured, in milliseconds. */
  readonly rotation?: ((ref: ContentRef) => number | undefined) | undefined
  /** How late a request may be; half an interval where that is more. */
  readonly graceMs?: number
}

/** A content that missed so many periods has stopped. */
export const MAX_MISSED = 3
const GRACE_MS = 30_000
const SAMPLED_PERIODS = 32

/** How a content changes its keys, by the ledger; undefined where that cannot be told, or may be chance. */
export async function scheduleOf(
  { store, rotation }: Pick<OverdueOptions, 'store' | 'rotation'>,
  ref: ContentRef,
): Promise<RotationSchedule | undefined> {
  const schedule = rotationSchedule(seenPeriods(await store.findByContent(ref, SAMPLED_PERIODS)), rotation?.(ref))
  return schedule?.confidence === 'low' ? undefined : schedule
}

/** How late a request may be. */
export function graceOf(intervalMs: number, { graceMs = GRACE_MS }: Pick<OverdueOptions, 'graceMs'>): number {
  return Math.max(graceMs, intervalMs / 2)
}

/** When the request that comes after `missed` missed ones counts as missed itself. */
export function overdueAt(schedule: RotationSchedule, missed: number, options: Pick<OverdueOptions, 'graceMs'>) {
  return dueOf(schedule, missed) + graceOf(schedule.intervalMs, options)
}

/**
 * Tells of every period that is overdue at `at`, but for the first `missed`, until the content has stopped. Which of the nodes, and
 * of all times this is called, tells of a period is decided in the store.
 */
export async function tellOverdue(
  options: OverdueOptions,
  { ref, schedule, at }: { readonly ref: ContentRef; readonly schedule: RotationSchedule; readonly at: number },
  missed = 0,
): Promise<{ readonly told: number; readonly missed: number }> {
  let told = 0
  let count = missed
  for (; count < MAX_MISSED && at > overdueAt(schedule, count, options); count++) {
    // Nobody remembers who told of anything older.
    if (overdueAt(schedule, count, options) <= at - CLAIM_MS) continue
    const one = missedRotation(ref, schedule, count)
    if (!(await claim(options.store, happeningOf(one), at))) continue
    options.onMissed(one)
    told++
  }
  return { told, missed: count }
}

/** The event that tells of a missed rotation: the same on every node. */
export function missedRotationEvent(missed: MissedRotation): KeyspringEvent {
  const { tenant, contentId, periodIndex, lastPeriodId, expectedAt, intervalMs } = missed
  return {
    type: 'rotation.missed',
    tenant,
    contentId,
    at: expectedAt,
    id: claimIdOf(happeningOf(missed)),
    data: {
      ...(periodIndex === undefined ? {} : { periodIndex }),
      lastPeriodId,
      expectedAt: new Date(expectedAt).toISOString(),
      intervalSeconds: intervalMs / 1_000,
    },
  }
}

function missedRotation(ref: ContentRef, schedule: RotationSchedule, missed: number): MissedRotation {
  const { last, intervalMs } = schedule
  return {
    ...ref,
    periodIndex: indexAfter(schedule, missed + 1),
    lastPeriodId: last.periodId,
    after: missed + 1,
    expectedAt: dueOf(schedule, missed),
    intervalMs,
  }
}

function happeningOf({ tenant, contentId, lastPeriodId, after, periodIndex }: MissedRotation): ClaimableEvent {
  return { tenant, parts: ['rotation.missed', contentId, lastPeriodId, after, periodIndex ?? ''] }
}

/** When the request for the period after `missed` missed ones is due. */
function dueOf({ nextRequest, intervalMs }: RotationSchedule, missed: number): number {
  return nextRequest + missed * intervalMs
}
