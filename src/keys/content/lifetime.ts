import type { Birth } from '../ports/content-store.ts'
import type { RetentionClass } from './retention.ts'
import type { Snapshot } from './snapshot.ts'

/** A content as it stands, and what it is kept by. */
export interface Kept {
  readonly snapshot: Snapshot
  readonly retention: RetentionClass
}

/**
 * Where a content is in its life. `ending`: it expired or is about to, and a request for keys keeps it once that is durable.
 * `over`: its grace has passed too, whether or not it was destroyed yet. `lapsed`: it was destroyed because its time had passed, and
 * may get a new secret. `destroyed`: for ever.
 */
export type Phase = 'alive' | 'ending' | 'over' | 'lapsed' | 'destroyed'

/** So long before its expiry a content is kept durably before its keys are issued: a renewal written late could come too late. */
const ENDING_MS = 10_000

/** Whether time matters to a content at all; for most it does not. */
export function isMortal({ snapshot, retention }: Kept): boolean {
  return snapshot.expiresAt !== undefined || retention.keepMs !== undefined || snapshot.tombstone !== undefined
}

/** When a content expires, by what is stored and by the present rules. */
export function expiryOf({ snapshot, retention }: Kept): number | undefined {
  return storedExpiry(snapshot, retention)
}

/** The same, of a content that is not read as a whole. */
export function storedExpiry(
  { expiresAt, isHeld }: Pick<Snapshot, 'expiresAt' | 'isHeld'>,
  { held, keepMs }: RetentionClass,
): number | undefined {
  return isHeld || held || keepMs === undefined ? undefined : expiresAt
}

export function phaseOf(content: Kept, now: number): Phase {
  const { snapshot, retention } = content
  if (snapshot.tombstone !== undefined) {
    return snapshot.tombstone.cause === 'expired' && retention.afterwards === 'regenerate' ? 'lapsed' : 'destroyed'
  }
  const expiresAt = expiryOf(content)
  if (expiresAt === undefined) return 'alive'
  if (now >= expiresAt + retention.graceMs) return 'over'
  return now >= expiresAt - Math.min(ENDING_MS, (retention.keepMs ?? 0) / 8) ? 'ending' : 'alive'
}

/** What a content that is made or asked for now is stored with. */
export function birthOf({ held, keepMs }: RetentionClass, now: number): Birth {
  return { at: now, expiresAt: held || keepMs === undefined ? undefined : now + keepMs }
}

/** Whether what is stored of the expiry should be what `birthOf` says. An eighth is not worth a write. */
export function needsRenewal({ snapshot, retention }: Kept, now: number): boolean {
  const { expiresAt, sealedSecret, overrides, tombstone } = snapshot
  if (tombstone !== undefined || (sealedSecret === undefined && overrides.size === 0)) return false
  const { keepMs, held } = retention
  if (keepMs === undefined || held) return expiresAt !== undefined
  if (expiresAt === undefined) return true
  return expiresAt - now < (keepMs * 7) / 8 || expiresAt - now > (keepMs * 9) / 8
}
