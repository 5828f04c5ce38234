import { setImmediate } from 'node:timers/promises'
import { inGroups } from '../../core/in-groups.ts'
import type { Tenant } from '../../keys/ports/content-ref.ts'
import type { Expiry } from '../../keys/ports/lifetime-store.ts'
import type { Management } from '../management.ts'
import { judgeExpiry } from './expiry.ts'

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

export interface SweepPlan {
  readonly contents: readonly ContentSweepPlan[]
  /** Whether there are more than `contents` tells of. */
  readonly more: boolean
}

const PAGE = 200
const MAX_PLANNED = 10_000

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
