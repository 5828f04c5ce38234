import type { ContentRef } from '../ports/content-ref.ts'
import type { Birth } from '../ports/content-store.ts'
import type { Snapshot } from './snapshot.ts'

/** How long contents of one class are kept. */
export interface RetentionClass {
  readonly name: string
  /** The retention period: milliseconds from the last request for keys to the expiry; undefined: the content never expires. */
  readonly keepMs: number | undefined
  /** The grace period: milliseconds from the expiry to the destruction. A request for keys in this time revives the content. */
  readonly graceMs: number
  /** The answer to a request for keys after the grace period: 410, or keys from a new secret. */
  readonly afterwards: 'gone' | 'regenerate'
  /** Whether the class is a legal hold: its contents neither expire nor can be deleted. */
  readonly held: boolean
}

/** Returns the retention class of a content, by the rules of the configuration. */
export type RetentionOf = (ref: ContentRef) => RetentionClass

/** The default retention class: contents never expire. */
export const FOREVER: RetentionClass = {
  name: 'forever',
  keepMs: undefined,
  graceMs: 0,
  afterwards: 'gone',
  held: false,
}

/** A content in memory and its retention class. */
export interface KeptContent {
  readonly snapshot: Snapshot
  readonly retention: RetentionClass
}

/**
 * The phase of a content's life. `ending`: it has expired or is about to expire; a request for keys renews it durably before the
 * answer. `over`: its grace period has passed, whether or not it is destroyed yet. `lapsed`: it was destroyed after its grace
 * period and may get a new secret. `destroyed`: permanently.
 */
type Phase = 'alive' | 'ending' | 'over' | 'lapsed' | 'destroyed'

/** From this time before the expiry, a request renews a content durably before the answer: a late write could come too late. */
const ENDING_MS = 10_000

/** Whether a content has an expiry or a tombstone, or can get one. Most contents do not. */
export function isMortal({ snapshot, retention }: KeptContent): boolean {
  return snapshot.expiresAt !== undefined || retention.keepMs !== undefined || snapshot.tombstone !== undefined
}

/** When a content expires, by its stored expiry and the current rules. */
export function expiryOf({ snapshot, retention }: KeptContent): number | undefined {
  return storedExpiry(snapshot, retention)
}

/** As `expiryOf`, for a content of which only the life was read. */
export function storedExpiry(
  { expiresAt, isHeld }: Pick<Snapshot, 'expiresAt' | 'isHeld'>,
  { held, keepMs }: RetentionClass,
): number | undefined {
  return isHeld || held || keepMs === undefined ? undefined : expiresAt
}

export function phaseOf(content: KeptContent, now: number): Phase {
  const { snapshot, retention } = content
  if (snapshot.tombstone !== undefined) {
    return snapshot.tombstone.cause === 'expired' && retention.afterwards === 'regenerate' ? 'lapsed' : 'destroyed'
  }
  const expiresAt = expiryOf(content)
  if (expiresAt === undefined) return 'alive'
  if (now >= expiresAt + retention.graceMs) return 'over'
  return now >= expiresAt - Math.min(ENDING_MS, (retention.keepMs ?? 0) / 8) ? 'ending' : 'alive'
}

/** The life of a content that is created or requested now. */
export function birthOf({ held, keepMs }: RetentionClass, now: number): Birth {
  return { at: now, expiresAt: held || keepMs === undefined ? undefined : now + keepMs }
}

/** Whether the stored expiry differs from `birthOf` by more than an eighth of the retention period. Less is not worth a write. */
export function needsRenewal({ snapshot, retention }: KeptContent, now: number): boolean {
  const { expiresAt, sealedSecret, overrides, tombstone } = snapshot
  if (tombstone !== undefined || (sealedSecret === undefined && overrides.size === 0)) return false
  const { keepMs, held } = retention
  if (keepMs === undefined || held) return expiresAt !== undefined
  if (expiresAt === undefined) return true
  return expiresAt - now < (keepMs * 7) / 8 || expiresAt - now > (keepMs * 9) / 8
}

/** The words for a retention period that ended, in tombstones and audit records. To the minute: contents with one reason are destroyed in one write. */
export function retentionEnded(expiresAt: number): string {
  return `its retention period ended on ${new Date(expiresAt).toISOString().slice(0, 16)}Z`
}
