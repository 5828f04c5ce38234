import { setImmediate } from 'node:timers/promises'
import { inGroups } from '../../core/in-groups.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { LedgerStore } from '../../keys/ports/ledger-store.ts'
import type { Expiry } from '../../keys/ports/lifetime-store.ts'
import type { Management } from '../management.ts'
import type { ContentCatalogue } from '../ports/store.ts'

/** What is to be done with a content whose stored time has passed, by the rules as they are now. */
export type Verdict =
  /** It lives longer than was stored, and lives still: until `until`, or for ever. */
  | { readonly action: 'keep'; readonly until: number | undefined }
  /** It has expired; `wait` while a request for its keys would still revive it. */
  | { readonly action: 'wait' | 'destroy'; readonly destroyedFrom: number }

/** An expired content and its verdict. */
export interface Judged {
  readonly expiry: Expiry
  /** The name of its retention class. */
  readonly class: string
  readonly verdict: Verdict
}

/** What a verdict is based on. */
export interface ExpirySources extends Pick<Management, 'retention'> {
  readonly store: Pick<LedgerStore, 'findByContent'> & Pick<ContentCatalogue, 'findSummary'>
}

/**
 * Judges a content at `at` whose stored time ends before `horizon`. Rules may have changed since that time was stored, and a node may
 * have died before it stored a later one: so the ledger is asked when the keys were last asked for.
 */
export async function judgeExpiry(
  sources: ExpirySources,
  expiry: Expiry,
  at: number,
  horizon: number = at,
): Promise<Judged> {
  const { name, keepMs, graceMs, held } = sources.retention(expiry)
  const judged = (verdict: Verdict): Judged => ({ expiry, class: name, verdict })
  if (held || keepMs === undefined) return judged({ action: 'keep', until: undefined })
  // The ledger notes a request some milliseconds after its time was stored: what is over by both has expired.
  const until = Math.max(expiry.expiresAt, (await lastSeen(sources.store, expiry)) + keepMs)
  if (until > horizon) return judged({ action: 'keep', until })
  const destroyedFrom = until + graceMs
  return judged({ action: destroyedFrom <= at ? 'destroy' : 'wait', destroyedFrom })
}

/** When keys were last asked for as far as is known; the ledger forgets, and the content was asked for when it was made. */
async function lastSeen(store: ExpirySources['store'], { tenant, contentId }: Expiry): Promise<number> {
  const [newest] = await store.findByContent({ tenant, contentId }, 1)
  if (newest !== undefined) return newest.lastAt
  return (await store.findSummary({ tenant, contentId }))?.createdAt ?? Number.NEGATIVE_INFINITY
}

/** What sweeps would destroy and when, without doing anything: the longest expired first. */
export async function planSweep(
  management: Pick<Management, 'store' | 'retention' | 'now'>,
  { tenant, withinMs = 0, limit = 1_000 }: SweepPlanQuery,
): Promise<SweepPlan> {
  const most = Math.min(limit, MAX_PLANNED)
  const at = management.now()
  const contents: ContentSweepPlan[] = []
  let after: Expiry | undefined
  for (;;) {
    const page = await management.store.listExpired(at + withinMs, after, PAGE)
    const wanted = page.filter((expiry) => tenant === undefined || expiry.tenant === tenant)
    const judged = await inGroups(wanted, (expiry) => judgeExpiry(management, expiry, at, at + withinMs))
    for (const { expiry, verdict, class: name } of judged) {
      if (contents.length === most) return { contents, more: true }
      contents.push({
        tenant: expiry.tenant,
        contentId: expiry.contentId,
        class: name,
        expiresAt: new Date(expiry.expiresAt).toISOString(),
        action: verdict.action,
        destroyedFrom: verdict.action === 'keep' ? undefined : new Date(verdict.destroyedFrom).toISOString(),
        keptUntil:
          verdict.action === 'keep' && verdict.until !== undefined ? new Date(verdict.until).toISOString() : undefined,
      })
    }
    if (page.length < PAGE) return { contents, more: false }
    after = page.at(-1)
    await setImmediate()
  }
}

export interface SweepPlan {
  readonly contents: readonly ContentSweepPlan[]
  /** Whether there are more than `contents` tells of. */
  readonly more: boolean
}

export interface SweepPlanQuery {
  /** Only the contents of this tenant; undefined: of all. */
  readonly tenant?: Tenant | undefined
  /** How far to look ahead, in milliseconds. */
  readonly withinMs?: number | undefined
  /** At most so many contents. */
  readonly limit?: number | undefined
}

/** What sweeps will do with a content if nobody asks for its keys before. Times are of ISO 8601. */
export interface ContentSweepPlan {
  readonly tenant: Tenant
  readonly contentId: string
  readonly class: string
  /** From when players are refused. */
  readonly expiresAt: string
  /** `keep`: the rules as they are now let it live longer. */
  readonly action: 'destroy' | 'wait' | 'keep'
  /** From when it is destroyed; undefined for what is kept. */
  readonly destroyedFrom: string | undefined
  /** Until when it is kept; undefined for ever, and for what is destroyed. */
  readonly keptUntil: string | undefined
}

const PAGE = 200

const MAX_PLANNED = 10_000
