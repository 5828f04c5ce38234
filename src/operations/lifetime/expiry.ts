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
