import type { ContentKeyClass, Kid, SystemId } from '../../formats/cenc.ts'

/** A namespace of contents; it comes from the caller's credential alone. */
export type Tenant = string

/** What names a content. */
export interface ContentRef {
  readonly tenant: Tenant
  readonly contentId: string
}

/** A key, with an optional IV and ready-made pssh boxes, stored instead of derived. Sealed before it gets here: no store sees a clear key. */
export interface StoredOverride {
  readonly contentKeyClass: ContentKeyClass
  readonly kid: Kid
  /** `key ‖ IV` or `key`, sealed. */
  readonly sealed: Uint8Array
  /** Ready-made pssh boxes by system; they are public. */
  readonly pssh: Readonly<Record<SystemId, Uint8Array>>
}

/** A rule that gives a content key another kid. `undefined` matches any. */
export interface KidOverride {
  readonly intendedTrackType: string | undefined
  readonly periodIndex: number | undefined
  readonly kid: Kid
}

/** A content that was destroyed: it never gets those keys again. */
export interface Tombstone {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly reason: string
  /** `deleted`: by an operator, for ever. `expired`: its time had passed; where the retention class says `regenerate`, it may get a new secret. */
  readonly cause: 'deleted' | 'expired'
}

/** How long a content lives, as it is stored with it. */
export interface ContentLife {
  /** Milliseconds since 1970; undefined: made before this was kept. */
  readonly createdAt: number | undefined
  /** Milliseconds since 1970 from which players are refused; undefined: never. */
  readonly expiresAt: number | undefined
  /** Why it may neither expire nor be deleted (legal hold); undefined: it may. */
  readonly hold: string | undefined
  /** Which of its secrets the content has: 0 for the first, one more after each expiry that was followed by a new one. */
  readonly epoch: number
}

/** What a content is stored with for the first time. */
export interface Birth {
  /** Milliseconds since 1970. */
  readonly at: number
  /** When it expires unless it is asked for again; undefined: never. */
  readonly expiresAt: number | undefined
}

/** What must hold of a content, at the very moment of the write, for overrides to be stored. */
export interface OverrideCondition {
  /** Nothing of it is stored for a content that has a secret: keys may have been derived from it already. */
  readonly unlessSecret?: boolean
}

/** When a content expires. */
export interface Expiry extends ContentRef {
  readonly expiresAt: number
}

/** Everything that decides the keys of a content, read at one moment. */
export interface StoredContent {
  readonly life: ContentLife
  /** The content secret (32 bytes), sealed; undefined for a content that only has overrides. */
  readonly sealedSecret: Uint8Array | undefined
  readonly overrides: readonly StoredOverride[]
  /** Whether `overrides` holds every override of the content; else it holds those of the kids asked for. */
  readonly overridesComplete: boolean
  readonly kidOverrides: readonly KidOverride[]
  readonly tombstone: Tombstone | undefined
}

/** A data key of a tenant, wrapped by the root key. Generations count from 1. */
export interface StoredDataKey {
  readonly tenant: Tenant
  readonly generation: number
  readonly wrapped: Uint8Array
}

/**
 * Where content secrets, overrides, kid overrides and tombstones live. Every adapter passes `test/adapters/store/secret-store-contract.ts`.
 *
 * A method that changes something resolves only when the change is durable. A method that cannot do its work rejects with
 * ERR_STORE_UNAVAILABLE: it never answers as if nothing were stored.
 */
export interface SecretStore {
  /** What is stored of a content, with the overrides of `kids` at least; undefined when nothing is. */
  findContent(ref: ContentRef, kids: readonly Kid[]): Promise<StoredContent | undefined>

  /** Stores the secret unless the content has one, a tombstone included, and returns what stands, as `findContent` would. */
  putSecretIfAbsent(
    ref: ContentRef,
    sealedSecret: Uint8Array,
    kids: readonly Kid[],
    birth: Birth,
  ): Promise<StoredContent>

  /**
   * Stores each override unless its (class, kid) is taken, and returns what stands; with no override it stores nothing. Whether an
   * override was stored, what stands tells: with `unlessSecret` too, for a secret may have come after it.
   */
  putOverridesIfAbsent(
    ref: ContentRef,
    overrides: readonly StoredOverride[],
    birth: Birth,
    condition?: OverrideCondition,
  ): Promise<StoredContent>

  /** Stores or replaces an override. */
  replaceOverride(ref: ContentRef, override: StoredOverride, birth: Birth): Promise<void>

  /** Removes an override; false when there was none. */
  removeOverride(ref: ContentRef, contentKeyClass: ContentKeyClass, kid: Kid): Promise<boolean>

  /** Every override of a content, for listing. */
  listOverrides(ref: ContentRef): Promise<readonly StoredOverride[]>

  /** Stores or replaces the rule of (track type, period index). */
  putKidOverride(ref: ContentRef, rule: KidOverride): Promise<void>

  /** Removes the rule of (track type, period index); false when there was none. */
  removeKidOverride(ref: ContentRef, rule: Pick<KidOverride, 'intendedTrackType' | 'periodIndex'>): Promise<boolean>

  /**
   * Forgets the secret, overrides, kid overrides and stored document of a content and leaves a tombstone, in one step. The first
   * tombstone stands, but `deleted` takes the place of `expired`. Throws ERR_CONTENT_HELD for a content under legal hold.
   */
  putTombstone(ref: ContentRef, tombstone: Tombstone): Promise<void>

  /** Sets when contents expire; those that are destroyed, or of which nothing is stored, are left as they are. */
  putExpiry(expiries: readonly (ContentRef & Pick<ContentLife, 'expiresAt'>)[]): Promise<void>

  /**
   * Gives a content that expired and was destroyed a new secret and `epoch`, the one after that of its tombstone, unless another
   * process did; returns what stands. A tombstone of another cause or epoch is left as it is.
   */
  putNextSecret(
    ref: ContentRef,
    sealedSecret: Uint8Array,
    epoch: number,
    kids: readonly Kid[],
    birth: Birth,
  ): Promise<StoredContent>

  /** The data keys of a tenant, all generations. */
  findDataKeys(tenant: Tenant): Promise<readonly StoredDataKey[]>

  /** Stores a data key unless its (tenant, generation) is taken, and returns the one that stands. */
  putDataKeyIfAbsent(dataKey: StoredDataKey): Promise<StoredDataKey>

  /** One data key of each tenant, to see at start whether the root key is the right one. */
  sampleDataKeys(): Promise<readonly StoredDataKey[]>

  /** Rejects with ERR_STORE_UNAVAILABLE when nothing could be written now. A store that cannot tell has no such method. */
  checkWrites?(): Promise<void>

  close(): Promise<void>
}

/** A sealed value to be replaced by the same one under another data key. */
export interface Reseal extends ContentRef {
  /** The override that is meant, or undefined for the content secret. */
  readonly override: Pick<StoredOverride, 'contentKeyClass' | 'kid'> | undefined
  readonly before: Uint8Array
  readonly after: Uint8Array
}

/** How many sealed values there are under one data key. */
export interface SealCount {
  readonly tenant: Tenant
  readonly generation: number
  readonly rows: number
}

/** What the sweeper and legal holds need of a store. Every adapter passes `test/adapters/store/life-store-contract.ts`. */
export interface LifeStore {
  /** Sets (a reason) or lifts (undefined) the legal hold of a content; false when nothing is stored of it, or a tombstone. */
  putHold(ref: ContentRef, hold: string | undefined): Promise<boolean>

  /**
   * The contents that expired before `before` and are not held, the longest expired first, those of one moment in an order of the
   * store's own, after `after`, at most `limit`. `after` need not be stored: its time is where the list starts.
   */
  listExpired(before: number, after: Expiry | undefined, limit: number): Promise<readonly Expiry[]>

  /**
   * Destroys those of `expired` that still expire at that very time and are not held, as `putTombstone` does, with the cause
   * `expired`; returns them.
   */
  destroyExpired(expired: readonly Expiry[], at: number, reason: string): Promise<readonly ContentRef[]>

  /** The contents that never expire as stored and are neither held nor destroyed, in an order of the store's own, after `after`. */
  listUnlimited(after: ContentRef | undefined, limit: number): Promise<readonly ContentRef[]>
}

/** What operators do to a store as a whole: copying, rotation, counting. Every adapter passes `test/adapters/store/maintenance-contract.ts`. */
export interface StoreMaintenance {
  /** The contents of which something is stored, in an order of the store's own, after `after`, at most `limit`. */
  listContents(after: ContentRef | undefined, limit: number): Promise<readonly ContentRef[]>

  /** The data keys of every tenant, all generations. */
  listDataKeys(): Promise<readonly StoredDataKey[]>

  /** Stores another wrapping of a data key if `before` is the one that stands; false when it is not. */
  rewrapDataKey(dataKey: StoredDataKey, before: Uint8Array): Promise<boolean>

  /** Removes a data key that no sealed value needs; false, and nothing removed, when one does. No value can be sealed with it afterwards. */
  removeDataKey(tenant: Tenant, generation: number): Promise<boolean>

  /** Replaces each sealed value whose `before` stands; how many were. */
  reseal(values: readonly Reseal[]): Promise<number>

  /** The sealed values by data key; data keys without any count 0. */
  countSeals(): Promise<readonly SealCount[]>

  /** Sets the life of a content as it is in another store, of which this one is a copy; nothing where nothing is stored. */
  putLife(ref: ContentRef, life: ContentLife): Promise<void>
}

/** What was issued, for one key period of a content. A report: no answer depends on it. */
export interface LedgerRecord extends ContentRef {
  /** The period's id as the encryptor wrote it, or '' when the document has no periods. */
  readonly periodId: string
  readonly periodIndex: number | undefined
  /** As written: xs:dateTime or xs:duration. */
  readonly periodStart: string | undefined
  readonly periodEnd: string | undefined
  readonly keys: readonly LedgerKey[]
  readonly client: string
  readonly spekeVersion: string
  /** Milliseconds since 1970 of the first and last request, and how many came between two flushes. */
  readonly firstAt: number
  readonly lastAt: number
  readonly requests: number
  /** When it may be forgotten, milliseconds since 1970; undefined: never. That of the later request counts. */
  readonly keepUntil: number | undefined
}

export interface LedgerKey {
  readonly kid: Kid
  readonly contentKeyClass: ContentKeyClass
  readonly commonEncryptionScheme: string
  readonly intendedTrackTypes: readonly string[]
  readonly systemIds: readonly SystemId[]
}

/** Which of the periods of a kid are meant. */
export interface KidQuery {
  /** Only those of this content. */
  readonly contentId?: string | undefined
  readonly periods?: number | undefined
}

/** Where the ledger lives. Every adapter passes `test/adapters/store/ledger-store-contract.ts`. */
export interface LedgerStore {
  /** Adds the records, merging each with what stands for its (tenant, contentId, periodId). Returns the kids found in both classes. */
  record(records: readonly LedgerRecord[]): Promise<readonly (ContentRef & { readonly kid: Kid })[]>

  /**
   * The periods in which a kid was issued, the last asked for first: of each content and class those that began last, at most
   * `periods` (100 unless given), and some 1,000 in all. A kid may stay the same through all periods of a channel.
   */
  findByKid(tenant: Tenant, kid: Kid, query?: KidQuery): Promise<readonly LedgerRecord[]>

  /** The periods of a content, newest first, at most `limit`. */
  findByContent(ref: ContentRef, limit: number): Promise<readonly LedgerRecord[]>

  /** Forgets at most `limit` periods whose `keepUntil` is before `now`; how many were forgotten. */
  prune(now: number, limit: number): Promise<number>

  close(): Promise<void>
}

/** What must be given again to unwrap what was wrapped: the tenant and generation of a data key. */
export type WrapContext = Readonly<Record<string, string>>

/** What wraps data keys. Every adapter passes `test/adapters/root-keys/root-key-contract.ts`. */
export interface RootKey {
  /** Wraps a data key. Throws ERR_ROOT_KEY_UNAVAILABLE when it cannot be reached, as the other methods do. */
  wrap(dataKey: Uint8Array, context: WrapContext): Promise<Uint8Array>

  /** The data key, or undefined when another root key wrapped it. Throws ERR_SEAL_BROKEN when ours did and it does not open. */
  unwrap(wrapped: Uint8Array, context: WrapContext): Promise<Uint8Array | undefined>

  /** A new data key of 32 bytes and its wrapping, where the root key itself makes them. */
  generate?(context: WrapContext): Promise<{ readonly dataKey: Uint8Array; readonly wrapped: Uint8Array }>

  /** The same data key under the newest generation, where that is possible without opening it here; undefined as for `unwrap`. */
  rewrap?(wrapped: Uint8Array, context: WrapContext): Promise<Uint8Array | undefined>

  /** What wrapped this, for people to read; undefined when another root key did. It tells nothing of the key. */
  describe?(wrapped: Uint8Array): string | undefined

  /** Whether the newest generation wrapped this, as far as that can be told. */
  isNewest?(wrapped: Uint8Array): boolean

  close(): Promise<void>
}
