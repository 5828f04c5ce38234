import { setImmediate } from 'node:timers/promises'
import { inGroups } from '../../core/in-groups.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { Expiry } from '../../keys/ports/content-store.ts'
import type { LedgerStore } from '../../keys/ports/ledger-store.ts'
import type { Answered } from '../answers/fields.ts'
import type { PLANNED_CONTENT, SWEEP_PLAN } from '../answers/sweep.ts'
import type { Management } from '../management.ts'
import type { ContentCatalogue } from '../ports/store.ts'

/** What a sweep does with a content whose stored expiry has passed, under the current rules. */
type Verdict =
  /** It lives longer than stored: until `until`, or it never expires. */
  | { readonly action: 'keep'; readonly until: number | undefined }
  /** It has expired; `wait` during the grace period, in which a request for its keys revives it. */
  | { readonly action: 'wait' | 'destroy'; readonly destroyedFrom: number }

/** An expired content and its verdict. */
export interface Judged {
  readonly expiry: Expiry
  /** The name of its retention class. */
  readonly class: string
  readonly verdict: Verdict
}

/** Everything that a verdict needs. */
interface ExpirySources extends Pick<Management, 'retention'> {
  readonly store: Pick<LedgerStore, 'findByContent'> & Pick<ContentCatalogue, 'findSummary'>
}

/**
 * Judges at `at` a content whose stored expiry is before `horizon`. The rules may have changed since it was stored, and a node
 * may have died before it stored a later one. The ledger knows when an encryptor last asked for the keys.
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
  // The ledger records a request some milliseconds after its expiry is stored: the content has expired if both say so.
  const until = Math.max(expiry.expiresAt, (await lastSeen(sources.store, expiry)) + keepMs)
  if (until > horizon) return judged({ action: 'keep', until })
  const destroyedFrom = until + graceMs
  return judged({ action: destroyedFrom <= at ? 'destroy' : 'wait', destroyedFrom })
}

/** The last known request for keys. The ledger deletes old records; the content was requested when it was created. */
async function lastSeen(store: ExpirySources['store'], { tenant, contentId }: Expiry): Promise<number> {
  const [newest] = await store.findByContent({ tenant, contentId }, 1)
  if (newest !== undefined) return newest.lastAt
  return (await store.findSummary({ tenant, contentId }))?.createdAt ?? Number.NEGATIVE_INFINITY
}

/** Lists what sweeps will destroy and when, the longest expired first. Changes nothing. */
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

type SweepPlan = Answered<typeof SWEEP_PLAN>

interface SweepPlanQuery {
  /** Only contents of this tenant; undefined: of all tenants. */
  readonly tenant?: Tenant | undefined
  /** How far to look ahead, in milliseconds. */
  readonly withinMs?: number | undefined
  /** The limit of listed contents. */
  readonly limit?: number | undefined
}

/** What sweeps will do with a content, unless an encryptor asks for its keys before. Times are ISO 8601. */
export type ContentSweepPlan = Answered<typeof PLANNED_CONTENT>

const PAGE = 200

const MAX_PLANNED = 10_000
