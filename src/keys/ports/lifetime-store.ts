import type { ContentRef } from './content-ref.ts'

/** When a content expires, in milliseconds since 1970. */
export interface Expiry extends ContentRef {
  readonly expiresAt: number
}

/** What the sweeper and legal holds need from a store. The contract tests are `test/adapters/store/life-store-contract.ts`. */
export interface LifeStore {
  /** Sets (a reason) or lifts (undefined) the legal hold of a content. False if the content is not stored or is destroyed. */
  putHold(ref: ContentRef, hold: string | undefined): Promise<boolean>

  /**
   * At most `limit` contents that expired before `before` and have no hold, after `after`, ordered by expiry. The store defines the
   * order of contents that expired at the same time. `after` may be a content that is no longer stored.
   */
  listExpired(before: number, after: Expiry | undefined, limit: number): Promise<readonly Expiry[]>

  /**
   * Destroys each content of `expired` whose stored expiry is still `expiresAt` and which has no hold. Writes a tombstone with the
   * cause `expired`, as `putTombstone` does. Returns the destroyed contents.
   */
  destroyExpired(expired: readonly Expiry[], at: number, reason: string): Promise<readonly ContentRef[]>

  /** At most `limit` contents after `after` that have no expiry, no hold and no tombstone. The store defines the order. */
  listUnlimited(after: ContentRef | undefined, limit: number): Promise<readonly ContentRef[]>
}
