import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'
import type { ContentRef } from './content-ref.ts'
import type { DataKeyStore } from './data-key-store.ts'

/** A content key that is stored instead of derived, with an optional IV and ready-made pssh boxes. The store never sees a clear key. */
export interface StoredOverride {
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
  /** `key ‖ IV` or `key`, sealed. */
  readonly sealed: Uint8Array
  /** Ready-made pssh boxes by system. They are public. */
  readonly pssh: Readonly<Record<SystemId, Uint8Array>>
}

/** A rule that replaces the kid of a content key. An undefined field matches any key. */
export interface KidOverride {
  readonly intendedTrackType: string | undefined
  readonly periodIndex: number | undefined
  readonly kid: Kid
}

/** Marks a destroyed content. The keys it had are never issued again. */
export interface Tombstone {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly reason: string
  /**
   * `deleted`: an operator destroyed the content, permanently. `expired`: its retention and grace periods have passed. Only an
   * expired content can get a new secret, if its retention class says `regenerate`.
   */
  readonly cause: 'deleted' | 'expired'
}

/** The life cycle of a content, as stored. */
export interface ContentLife {
  /** Milliseconds since 1970; undefined for a content that was created before the store recorded the time. */
  readonly createdAt: number | undefined
  /** Milliseconds since 1970; undefined: the content never expires. */
  readonly expiresAt: number | undefined
  /** The reason of the legal hold: the content neither expires nor can be deleted. Undefined: no hold. */
  readonly hold: string | undefined
  /** The number of the content's secret: 0 for the first, plus one for each regeneration. */
  readonly epoch: number
}

/** The life that a content is created with. */
export interface Birth {
  /** Milliseconds since 1970. */
  readonly at: number
  /** Milliseconds since 1970, unless the content is requested again; undefined: the content never expires. */
  readonly expiresAt: number | undefined
}

/** A condition that the store checks in the same transaction as the write of overrides. */
export interface OverrideCondition {
  /** Store nothing if the content has a secret: its keys may have been issued already. */
  readonly unlessSecret?: boolean
}

/** Everything that decides the keys of a content, read in one transaction. */
export interface StoredContent {
  readonly life: ContentLife
  /** The content secret (32 bytes), sealed; undefined for a content that has only overrides. */
  readonly sealedSecret: Uint8Array | undefined
  readonly overrides: readonly StoredOverride[]
  /** True if `overrides` holds every override of the content; false if it holds only those of the requested kids. */
  readonly overridesComplete: boolean
  readonly kidOverrides: readonly KidOverride[]
  readonly tombstone: Tombstone | undefined
}

/**
 * Stores content secrets, overrides, kid overrides and tombstones, and the data keys that seal them. The contract tests are
 * `test/adapters/store/secret-store-contract.ts`.
 *
 * A method that changes something resolves only when the change is durable. A method that fails rejects with
 * ERR_STORE_UNAVAILABLE; it never answers as if nothing were stored.
 */
export interface ContentStore extends DataKeyStore {
  /** The stored content, with the overrides of `kids` at least; undefined if nothing is stored. */
  findContent(ref: ContentRef, kids: readonly Kid[]): Promise<StoredContent | undefined>

  /** Stores the secret unless the content has a secret or a tombstone. Returns the stored content, as `findContent` does. */
  putSecretIfAbsent(
    ref: ContentRef,
    sealedSecret: Uint8Array,
    kids: readonly Kid[],
    birth: Birth,
  ): Promise<StoredContent>

  /**
   * Stores each override unless its (class, kid) is taken. Returns the stored content; compare its overrides to find out which were
   * stored. With no overrides, this only reads. Unlike `findContent`, it never reads from a replica.
   */
  putOverridesIfAbsent(
    ref: ContentRef,
    overrides: readonly StoredOverride[],
    birth: Birth,
    condition?: OverrideCondition,
  ): Promise<StoredContent>

  /** Stores or replaces an override. */
  replaceOverride(ref: ContentRef, override: StoredOverride, birth: Birth): Promise<void>

  /** Deletes an override. False if it was not stored. */
  removeOverride(ref: ContentRef, contentKeyClass: ContentKeyClass, kid: Kid): Promise<boolean>

  /** Every override of a content. */
  listOverrides(ref: ContentRef): Promise<readonly StoredOverride[]>

  /** Stores or replaces the rule of (track type, period index). */
  putKidOverride(ref: ContentRef, rule: KidOverride): Promise<void>

  /** Deletes the rule of (track type, period index). False if it was not stored. */
  removeKidOverride(ref: ContentRef, rule: Pick<KidOverride, 'intendedTrackType' | 'periodIndex'>): Promise<boolean>

  /**
   * Deletes the secret, overrides, kid overrides and document of a content, and writes a tombstone, in one transaction. An existing
   * tombstone stays, except that `deleted` replaces `expired`. Throws ERR_CONTENT_HELD for a content under legal hold.
   */
  putTombstone(ref: ContentRef, tombstone: Tombstone): Promise<void>

  /** Sets when contents expire. Does nothing for contents that are destroyed or not stored. */
  putExpiry(expiries: readonly (ContentRef & Pick<ContentLife, 'expiresAt'>)[]): Promise<void>

  /**
   * Gives a content that expired and was destroyed a new secret, if `epoch` is one higher than that of its tombstone. Otherwise it
   * changes nothing. Returns the stored content.
   */
  putNextSecret(
    ref: ContentRef,
    sealedSecret: Uint8Array,
    epoch: number,
    kids: readonly Kid[],
    birth: Birth,
  ): Promise<StoredContent>

  /** Rejects with ERR_STORE_UNAVAILABLE if the store cannot be written now. Stores that cannot find out do not have this method. */
  checkWrites?(): Promise<void>

  close(): Promise<void>
}

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
