import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { LedgerStore } from '../../keys/ports/ledger-store.ts'
import { CLAIM_MS, type ClaimableEvent, claim, claimIdOf } from '../claim.ts'
import { isVerification } from '../lifetime/retention.ts'
import type { KeyspringEvent } from '../ports/events.ts'
import type { IdempotencyStore } from '../ports/store.ts'
import { indexAfter, type RotationSchedule, rotationSchedule, seenPeriods } from './estimate.ts'

/** A key period that no encryptor requested in time. */
export interface MissedRotation extends ContentRef {
  /** Its expected index; undefined if periods have no index. */
  readonly periodIndex: number | undefined
  /** The newest requested period, and how many periods later this one is. */
  readonly lastPeriodId: string
  readonly after: number
  /** When the request was due, milliseconds since 1970. */
  readonly expectedAt: number
  readonly intervalMs: number
}

export interface OverdueOptions {
  /** The shared ledger: another node may have answered the request. */
  readonly store: Pick<LedgerStore, 'findByContent'> & IdempotencyStore
  /** Called once for each missed period, on one of the nodes. */
  readonly onMissed: (missed: MissedRotation) => void
  /** The configured rotation interval of a content, in milliseconds. */
  readonly rotation?: ((ref: ContentRef) => number | undefined) | undefined
  /** How late a request may be, in milliseconds; half an interval if that is longer. */
  readonly graceMs?: number
}

/** A content has stopped after this many missed periods. */
export const MAX_MISSED = 3
const GRACE_MS = 30_000
const SAMPLED_PERIODS = 32

/** How a content changes its keys, by the ledger; undefined without an estimate, or with low confidence. */
export async function scheduleOf(
  { store, rotation }: Pick<OverdueOptions, 'store' | 'rotation'>,
  ref: ContentRef,
): Promise<RotationSchedule | undefined> {
  if (isVerification(ref)) return undefined
  const schedule = rotationSchedule(seenPeriods(await store.findByContent(ref, SAMPLED_PERIODS)), rotation?.(ref))
  return schedule?.confidence === 'low' ? undefined : schedule
}

/** How late a request may be, in milliseconds. */
export function graceOf(intervalMs: number, { graceMs = GRACE_MS }: Pick<OverdueOptions, 'graceMs'>): number {
  return Math.max(graceMs, intervalMs / 2)
}

/** When the request after `missed` missed requests counts as missed, in milliseconds since 1970. */
export function overdueAt(schedule: RotationSchedule, missed: number, options: Pick<OverdueOptions, 'graceMs'>) {
  return dueOf(schedule, missed) + graceOf(schedule.intervalMs, options)
}

/**
 * Reports every period that is overdue at `at`, except the first `missed`, until the content has stopped. The store decides
 * which node and call reports a period.
 */
export async function emitOverdue(
  options: OverdueOptions,
  { ref, schedule, at }: { readonly ref: ContentRef; readonly schedule: RotationSchedule; readonly at: number },
  missed = 0,
): Promise<{ readonly emitted: number; readonly missed: number }> {
  let emitted = 0
  let count = missed
  for (; count < MAX_MISSED && at > overdueAt(schedule, count, options); count++) {
    // Claims of older periods are deleted.
    if (overdueAt(schedule, count, options) <= at - CLAIM_MS) continue
    const one = missedRotation(ref, schedule, count)
    if (!(await claim(options.store, claimableOf(one), at))) continue
    options.onMissed(one)
    emitted++
  }
  return { emitted, missed: count }
}

/** The event of a missed rotation: the same on every node. */
export function missedRotationEvent(missed: MissedRotation): KeyspringEvent {
  const { tenant, contentId, periodIndex, lastPeriodId, expectedAt, intervalMs } = missed
  return {
    type: 'rotation.missed',
    tenant,
    contentId,
    at: expectedAt,
    id: claimIdOf(claimableOf(missed)),
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

function claimableOf({ tenant, contentId, lastPeriodId, after, periodIndex }: MissedRotation): ClaimableEvent {
  return { tenant, parts: ['rotation.missed', contentId, lastPeriodId, after, periodIndex ?? ''] }
}

/** When the request for the period after `missed` missed periods is due. */
function dueOf({ nextRequest, intervalMs }: RotationSchedule, missed: number): number {
  return nextRequest + missed * intervalMs
}
