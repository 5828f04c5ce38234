import { setTimeout } from 'node:timers/promises'
import { KeyProviderError } from '../../core/errors.ts'
import { inGroups } from '../../core/in-groups.ts'
import { ClockSteps } from '../../keys/content/cache.ts'
import { retentionEnded } from '../../keys/content/lifetime.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { Expiry } from '../../keys/ports/content-store.ts'
import type { Answered } from '../answers/fields.ts'
import type { SWEEP_REPORT } from '../answers/sweep.ts'
import { CLAIM_MS, claim, claimIdOf } from '../claim.ts'
import type { Management } from '../management.ts'
import type { Actor } from '../ports/audit.ts'
import { type Judged, judgeExpiry } from './expiry.ts'

/** The result of a sweep. */
export type SweepReport = Answered<typeof SWEEP_REPORT>

interface SweeperOptions {
  /** How many contents are judged together. */
  readonly batch?: number
  /** The pause between two batches, in which other operations use the store, in milliseconds. */
  readonly pauseMs?: number
  /** How many contents without an expiry a sweep reads; the next sweep continues from there. */
  readonly adoptPerSweep?: number
  /** The shortest grace period of any retention class under the current rules. */
  readonly shortestGraceMs?: () => number
  /** Milliseconds of a monotonic clock. */
  readonly uptime?: () => number
}

export interface Sweeper {
  /** Sweeps once; a call during a sweep joins it. Rejects if the store or the audit log cannot be written. */
  sweep(): Promise<SweepReport>
  /** Call it when the rules have changed: the next sweep judges every content again. */
  reviewAll(): void
  /** Ends a running sweep after its current batch. */
  stop(): void
}

const ACTOR: Actor = { method: 'server', id: 'sweeper' }
/** How many contents a record names; each destroyed content also has its own record. */
const MAX_NAMED = 20
/** How long nothing is destroyed after a store outage, because other nodes record late what they issued from memory, and after a clock change, so that encryptors can ask for contents in use. */
const SETTLED_MS = 600_000
/** Clients retry writes with an idempotency key within a day; claims are needed for two. */
const KEEP_WRITES_MS = 2 * CLAIM_MS

/**
 * Expires contents: reports each expiry once, destroys contents after their grace period, and updates stored expiries to the
 * rules. Several nodes can sweep one store: exactly one node destroys a content and emits the event.
 */
export function createSweeper(management: Management, options: SweeperOptions = {}): Sweeper {
  const { store, retention, now, emit } = management
  const { batch = 200, pauseMs = 20, adoptPerSweep = 2_000, shortestGraceMs = () => 0 } = options
  const { uptime = now } = options
  const clock = new ClockSteps(now, uptime)
  let running: Promise<SweepReport> | undefined
  let isStopped = false
  /** Expired contents before this time were judged. */
  let reviewedUntil: number | undefined
  /** Counts changes of the rules. */
  let revision = 0
  let adoptedUntil: ContentRef | undefined
  /** The last store outage or clock change. */
  let unsettledAt = Number.NEGATIVE_INFINITY

  /** Judges every content that expired after `after` and before `before`. */
  const review = async (after: Expiry | undefined, before: number, at: number, emits: boolean, report: Counts) => {
    for (let page = await store.listExpired(before, after, batch); page.length > 0 && !isStopped; ) {
      const judged = await inGroups(page, (expiry) => judgeExpiry(management, expiry, at))
      report.looked += page.length
      const kept = judged.flatMap(({ expiry: { tenant, contentId }, verdict }) =>
        verdict.action === 'keep' ? [{ tenant, contentId, expiresAt: verdict.until }] : [],
      )
      if (kept.length > 0) await store.putExpiry(kept)
      report.kept += kept.length
      const gone = judged.filter(({ verdict }) => verdict.action !== 'keep')
      if (emits) report.expired += await emitExpired(gone, at)
      report.destroyed += await destroy(
        gone.filter(({ verdict }) => verdict.action === 'destroy'),
        at,
      )
      if (page.length < batch) return
      await setTimeout(pauseMs)
      page = await store.listExpired(before, page.at(-1), batch)
    }
  }

  const emitExpired = async (expired: readonly Judged[], at: number): Promise<number> => {
    const emitted = await inGroups(expired, async ({ expiry, verdict, class: name }) => {
      const { tenant, contentId, expiresAt } = expiry
      const expiredEvent = { tenant, parts: ['content.expired', contentId, expiresAt] }
      if (verdict.action === 'keep' || expiresAt <= at - CLAIM_MS || !(await claim(store, expiredEvent, at)))
        return false
      const data = { class: name, destroyed: false, destroyedFrom: new Date(verdict.destroyedFrom).toISOString() }
      emit({ type: 'content.expired', tenant, contentId, at: expiresAt, id: claimIdOf(expiredEvent), data })
      return true
    })
    return emitted.filter(Boolean).length
  }

  /** Writes the audit log first: a content that cannot be recorded is not destroyed. */
  const destroy = async (due: readonly Judged[], at: number): Promise<number> => {
    if (due.length === 0 || uptime() < unsettledAt + SETTLED_MS) return 0
    const requestId = `sweep-${Buffer.from(management.randomBytes(8)).toString('hex')}`
    const entry = { action: 'content.expire', actor: ACTOR, requestId } as const
    for (const [tenant, contents] of Map.groupBy(due, ({ expiry }) => expiry.tenant)) {
      await management.audit.write({ ...entry, outcome: 'begun', tenant, reason: namesOf(contents) })
    }
    const destroyed: { readonly ref: ContentRef; readonly reason: string }[] = []
    for (const [reason, group] of Map.groupBy(due, ({ expiry }) => retentionEnded(expiry.expiresAt))) {
      const expiries = group.map(({ expiry }) => expiry)
      for (const ref of await store.destroyExpired(expiries, at, reason)) destroyed.push({ ref, reason })
    }
    const judged = new Map(due.map((one) => [idOf(one.expiry), one]))
    for (const { ref } of destroyed) {
      const { tenant, contentId } = ref
      const one = judged.get(idOf({ tenant, contentId }))
      const id = claimIdOf({ tenant, parts: ['content.destroyed', contentId, one?.expiry.expiresAt ?? at] })
      const data = { class: one?.class ?? '', destroyed: true }
      emit({ type: 'content.expired', tenant, contentId, at, id, data })
    }
    await Promise.all(
      destroyed.map(({ ref, reason }) => management.audit.write({ ...entry, ...ref, outcome: 'ok', reason })),
    )
    return destroyed.length
  }

  /** Gives contents without an expiry the whole retention period of their class from now. */
  const adopt = async (at: number, report: Counts): Promise<void> => {
    for (let looked = 0; looked < adoptPerSweep && !isStopped; ) {
      const page = await store.listUnlimited(adoptedUntil, batch)
      looked += page.length
      const limited = page.flatMap((ref) => {
        const { keepMs, held } = retention(ref)
        return held || keepMs === undefined ? [] : [{ ...ref, expiresAt: at + keepMs }]
      })
      if (limited.length > 0) await store.putExpiry(limited)
      report.adopted += limited.length
      adoptedUntil = page.length < batch ? undefined : page.at(-1)
      if (adoptedUntil === undefined) return
      await setTimeout(pauseMs)
    }
  }

  const deleteOld = async (prune: (limit: number) => Promise<number>): Promise<number> => {
    let total = 0
    for (let pruned = batch; pruned === batch && !isStopped; total += pruned) {
      if (total > 0) await setTimeout(pauseMs)
      pruned = await prune(batch)
    }
    return total
  }

  const sweep = async (): Promise<SweepReport> => {
    const at = now()
    if (clock.wasSet()) unsettledAt = uptime()
    const report: Counts = { looked: 0, expired: 0, destroyed: 0, adopted: 0, kept: 0 }
    // The first sweep judges every content: the rules may differ from those of the previous process.
    const since = reviewedUntil === undefined ? undefined : { tenant: '', contentId: '', expiresAt: reviewedUntil }
    const rules = revision
    await review(since, at, at, true, report)
    if (since !== undefined) await review(undefined, at - shortestGraceMs(), at, false, report)
    if (!isStopped && rules === revision) reviewedUntil = at
    await adopt(at, report)
    const forgottenPeriods = await deleteOld((limit) => store.prune(at, limit))
    const forgottenWrites = await deleteOld((limit) => store.pruneWrites(at - KEEP_WRITES_MS, limit))
    return { ...report, forgottenPeriods, forgottenWrites }
  }

  return {
    sweep() {
      running ??= sweep()
        .catch((error: unknown) => {
          if (error instanceof KeyProviderError && error.code === 'ERR_STORE_UNAVAILABLE') unsettledAt = uptime()
          throw error
        })
        .finally(() => {
          running = undefined
        })
      return running
    },
    reviewAll() {
      revision++
      reviewedUntil = undefined
      adoptedUntil = undefined
    },
    stop() {
      isStopped = true
    },
  }
}

type Counts = { -readonly [K in 'looked' | 'expired' | 'destroyed' | 'adopted' | 'kept']: SweepReport[K] }

function namesOf(contents: readonly Judged[]): string {
  const ids = contents.slice(0, MAX_NAMED).map(({ expiry }) => JSON.stringify(expiry.contentId))
  const more = contents.length > MAX_NAMED ? [`${contents.length - MAX_NAMED} more`] : []
  return `past their retention: ${[...ids, ...more].join(', ')}`
}

function idOf({ tenant, contentId }: ContentRef): string {
  return JSON.stringify([tenant, contentId])
}
