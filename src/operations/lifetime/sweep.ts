import { setTimeout } from 'node:timers/promises'
import { KeyProviderError } from '../../core/errors.ts'
import { inGroups } from '../../core/in-groups.ts'
import { ClockSteps } from '../../keys/content/clock-steps.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { Expiry } from '../../keys/ports/lifetime-store.ts'
import { CLAIM_MS, claim, claimIdOf } from '../claim.ts'
import type { Management } from '../management.ts'
import type { Actor } from '../ports/audit.ts'
import { type Judged, judgeExpiry } from './expiry.ts'

/** What a sweep did. */
export interface SweepReport {
  /** Expired contents that were looked at. */
  readonly looked: number
  /** Contents whose expiry this node was the one to tell of. */
  readonly expired: number
  readonly destroyed: number
  /** Contents that never expired as stored and do by the rules as they are now. */
  readonly adopted: number
  /** Expired contents that live on by the rules as they are now. */
  readonly kept: number
  /** What was forgotten of the ledger, and of writes with an idempotency key. */
  readonly forgottenPeriods: number
  readonly forgottenWrites: number
}

export interface SweeperOptions {
  /** How many contents are looked at together. */
  readonly batch?: number
  /** How long others are let at the store between two batches. */
  readonly pauseMs?: number
  /** How many contents that never expire a sweep looks at; the next one goes on from there. */
  readonly adoptPerSweep?: number
  /** The shortest time that any retention class leaves between expiry and destruction, as the rules are now. */
  readonly shortestGraceMs?: () => number
  /** Milliseconds, of a clock that is not set. */
  readonly uptime?: () => number
}

export interface Sweeper {
  /** Does what is due. One that is called while another runs is that other one. Rejects when the store or the audit log cannot be written. */
  sweep(): Promise<SweepReport>
  /** The rules changed: the next sweep looks at everything again. */
  reviewAll(): void
  /** Ends a running sweep after the batch it is at. */
  stop(): void
}

const ACTOR: Actor = { method: 'server', id: 'sweeper' }
const REASON = 'its retention had passed'
/** A record names so many contents by id; each that was destroyed has a record of its own. */
const MAX_NAMED = 20
/** So long nothing is destroyed after the store was away, for other nodes issued from memory and write late that they did; and after the clock was set, for what is in use is asked for meanwhile. */
const SETTLED_MS = 600_000
/** Answers to writes with an idempotency key are asked for within a day, claims within two. */
const KEEP_WRITES_MS = 2 * CLAIM_MS

/**
 * Lets contents expire: tells of it once, destroys them after their grace, and brings stored times up to the rules. Several nodes
 * may do so on one store: a content is destroyed, and told of, by one of them. @see security-and-scale.md 3.4
 */
export function createSweeper(management: Management, options: SweeperOptions = {}): Sweeper {
  const { store, retention, now, emit } = management
  const { batch = 200, pauseMs = 20, adoptPerSweep = 2_000, shortestGraceMs = () => 0 } = options
  const { uptime = now } = options
  const clock = new ClockSteps(now, uptime)
  let running: Promise<SweepReport> | undefined
  let isStopped = false
  /** Up to when expired contents were looked at. */
  let reviewedUntil: number | undefined
  /** Counts changes of the rules. */
  let revision = 0
  let adoptedUntil: ContentRef | undefined
  /** When the store was last found away, or the clock set. */
  let unsettledAt = Number.NEGATIVE_INFINITY

  /** Looks at every content that expired after `after` and before `before`. */
  const review = async (after: Expiry | undefined, before: number, at: number, tells: boolean, report: Counts) => {
    for (let page = await store.listExpired(before, after, batch); page.length > 0 && !isStopped; ) {
      const judged = await inGroups(page, (expiry) => judgeExpiry(management, expiry, at))
      report.looked += page.length
      const kept = judged.flatMap(({ expiry: { tenant, contentId }, verdict }) =>
        verdict.action === 'keep' ? [{ tenant, contentId, expiresAt: verdict.until }] : [],
      )
      if (kept.length > 0) await store.putExpiry(kept)
      report.kept += kept.length
      const gone = judged.filter(({ verdict }) => verdict.action !== 'keep')
      if (tells) report.expired += await tellExpired(gone, at)
      report.destroyed += await destroy(
        gone.filter(({ verdict }) => verdict.action === 'destroy'),
        at,
      )
      if (page.length < batch) return
      await setTimeout(pauseMs)
      page = await store.listExpired(before, page.at(-1), batch)
    }
  }

  const tellExpired = async (expired: readonly Judged[], at: number): Promise<number> => {
    const told = await inGroups(expired, async ({ expiry, verdict, class: name }) => {
      const { tenant, contentId, expiresAt } = expiry
      const happening = { tenant, parts: ['content.expired', contentId, expiresAt] }
      if (verdict.action === 'keep' || expiresAt <= at - CLAIM_MS || !(await claim(store, happening, at))) return false
      const data = { class: name, destroyed: false, destroyedFrom: new Date(verdict.destroyedFrom).toISOString() }
      emit({ type: 'content.expired', tenant, contentId, at: expiresAt, id: claimIdOf(happening), data })
      return true
    })
    return told.filter(Boolean).length
  }

  /** The audit log comes first: what it cannot take is not destroyed. */
  const destroy = async (due: readonly Judged[], at: number): Promise<number> => {
    if (due.length === 0 || uptime() < unsettledAt + SETTLED_MS) return 0
    const requestId = `sweep-${Buffer.from(management.randomBytes(8)).toString('hex')}`
    const entry = { action: 'content.expire', actor: ACTOR, requestId } as const
    for (const [tenant, contents] of Map.groupBy(due, ({ expiry }) => expiry.tenant)) {
      await management.audit.write({ ...entry, outcome: 'begun', tenant, reason: namesOf(contents) })
    }
    const expiries = due.map(({ expiry }) => expiry)
    const destroyed = await store.destroyExpired(expiries, at, REASON)
    const judged = new Map(due.map((one) => [idOf(one.expiry), one]))
    for (const { tenant, contentId } of destroyed) {
      const one = judged.get(idOf({ tenant, contentId }))
      const id = claimIdOf({ tenant, parts: ['content.destroyed', contentId, one?.expiry.expiresAt ?? at] })
      const data = { class: one?.class ?? '', destroyed: true }
      emit({ type: 'content.expired', tenant, contentId, at, id, data })
    }
    await Promise.all(
      destroyed.map((ref) => management.audit.write({ ...entry, ...ref, outcome: 'ok', reason: REASON })),
    )
    return destroyed.length
  }

  /** Gives contents of a class with a limit their whole time from now, however long nobody asked for them. */
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

  const forget = async (prune: (limit: number) => Promise<number>): Promise<number> => {
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
    // The first sweep looks at everything: the rules may be others than those of the process before.
    const since = reviewedUntil === undefined ? undefined : { tenant: '', contentId: '', expiresAt: reviewedUntil }
    const rules = revision
    await review(since, at, at, true, report)
    if (since !== undefined) await review(undefined, at - shortestGraceMs(), at, false, report)
    if (!isStopped && rules === revision) reviewedUntil = at
    await adopt(at, report)
    const forgottenPeriods = await forget((limit) => store.prune(at, limit))
    const forgottenWrites = await forget((limit) => store.pruneWrites(at - KEEP_WRITES_MS, limit))
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
