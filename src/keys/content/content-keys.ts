import type { KeyProviderError } from '../../core/errors.ts'
import type { Kid, SystemId } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import type { KidLabel } from '../crypto/derive.ts'
import type { DeriveContentSecret } from '../crypto/root-secret.ts'
import type { RandomBytes } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore, KidOverride, LifeStore } from '../ports/content-store.ts'
import { type CachedContent, ContentCache, contentCacheId } from './cache.ts'
import {
  type ContentKeys,
  type DerivedKids,
  type FoundKey,
  type FoundKeyAndIv,
  type IssuedKeys,
  type OpenContent,
  type WantedKey,
  wantedId,
} from './content-key.ts'
import { type Creation, KeyCreator } from './create.ts'
import { keysVanished, rejectDestroyed, rejectExpired } from './errors.ts'
import { findAll, findKey, findKeyAndIv } from './find.ts'
import { FOREVER, isMortal, type RetentionClass, type RetentionOf } from './lifetime.ts'
import { Renewals, Revival } from './revival.ts'

export interface ContentKeysOptions {
  readonly store: Pick<
    ContentStore & LifeStore,
    'findContent' | 'putSecretIfAbsent' | 'putOverridesIfAbsent' | 'putExpiry' | 'putNextSecret' | 'destroyExpired'
  >
  readonly dataKeys: Pick<DataKeys, 'current' | 'find'>
  /**
   * `derived`: keys are derived from the content's stored secret. `random`: each key is random, and is stored as an override when it
   * is first requested; a content that has a secret already keeps the keys it derives. `derived-root`: a content without a stored
   * secret derives its secret from the root secret, and nothing is written.
   */
  readonly policy: 'derived' | 'random' | 'derived-root'
  /** Required for `derived-root`. */
  readonly deriveContentSecret?: DeriveContentSecret | undefined
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly time: () => number
  /** Returns the retention class of a content. Default: contents never expire. */
  readonly retention?: RetentionOf
  /** Writes the new expiry of requested contents; its owner closes it. Default: a queue of its own. */
  readonly renewals?: Pick<Renewals, 'renew'>
  readonly randomBytes: RandomBytes
  /** How long a content is used before it is read again, in milliseconds. */
  readonly revalidateMs?: number
  /** How many contents without overrides are kept in memory; one with overrides needs more room. */
  readonly maxEntries?: number
  /** Called each time a content is opened. */
  readonly onOpen?: () => void
  /** Receives the error of the store when keys are issued without confirmation by the store. */
  readonly onStale?: (error: KeyProviderError) => void
  /** Receives each content that a request destroyed after its grace period, in order to regenerate it. Must not throw. */
  readonly onExpired?: (ref: ContentRef, retention: RetentionClass, reason: string) => void
}

/** The content keys of a store: derived or random, or overridden. A kid of a content always has the same key. */
export class StoredContentKeys implements ContentKeys {
  readonly #cache: ContentCache
  readonly #parts: ContentParts
  readonly #onOpen: () => void

  constructor(options: ContentKeysOptions) {
    const { store, dataKeys, policy, now, time, randomBytes, retention = () => FOREVER } = options
    const { revalidateMs = 5_000, maxEntries = 100_000, onStale = () => {}, onExpired = () => {} } = options
    const deriveSecret = policy === 'derived-root' ? options.deriveContentSecret : undefined
    if (policy === 'derived-root' && deriveSecret === undefined) throw new TypeError('derived-root needs a root secret')
    const derives = policy !== 'random'
    const cache = new ContentCache({
      store,
      dataKeys,
      now,
      time,
      revalidateMs,
      maxEntries,
      onStale,
      retention,
      deriveSecret,
    })
    const creator = new KeyCreator({ store, dataKeys, cache, derives, retention, time, randomBytes })
    const renewals = options.renewals ?? new Renewals({ store })
    const revival = new Revival({ store, cache, creator, renewals, onExpired })
    this.#cache = cache
    this.#parts = { creator, revival, time, derives }
    this.#onOpen = options.onOpen ?? (() => {})
  }

  async open(ref: ContentRef, kids: readonly Kid[]): Promise<OpenContent> {
    this.#onOpen()
    const content = this.#cache.fresh(contentCacheId(ref), kids) ?? (await this.#cache.load(ref, kids))
    return new OpenedContent(this.#parts, ref, content)
  }
}

/** What an open content issues keys with. */
interface ContentParts {
  readonly creator: KeyCreator
  readonly revival: Revival
  readonly time: () => number
  readonly derives: boolean
}

class OpenedContent implements OpenContent {
  readonly #parts: ContentParts
  readonly #ref: ContentRef
  readonly #content: CachedContent
  #openedAt: number | undefined

  constructor(parts: ContentParts, ref: ContentRef, content: CachedContent) {
    this.#parts = parts
    this.#ref = ref
    this.#content = content
  }

  get kidOverrides(): readonly KidOverride[] {
    return this.#content.snapshot.kidOverrides
  }

  get createdAt(): number | undefined {
    return this.#content.snapshot.createdAt
  }

  get signalingRevision(): string {
    return this.#content.snapshot.signalingRevision
  }

  pssh(wanted: WantedKey): Readonly<Record<SystemId, Uint8Array>> | undefined {
    const pssh = this.#content.snapshot.overrides.get(wantedId(wanted))?.pssh
    return pssh !== undefined && Object.keys(pssh).length > 0 ? pssh : undefined
  }

  async issue(wanted: readonly WantedKey[]): Promise<IssuedKeys> {
    const { creator, derives } = this.#parts
    const alive = this.#alive()
    const { content, first } = alive instanceof Promise ? await alive : alive
    rejectDestroyed(this.#ref, content)
    const keys = findAll(this.#ref, content.snapshot, wanted, derives)
    if (keys !== undefined) return { keys, first }
    const issued = await creator.issue(this.#ref, content, wanted)
    return { keys: issued.keys, first: issued.first || first }
  }

  find(wanted: WantedKey): FoundKey | undefined {
    this.#rejectExpired()
    return findKey(this.#ref, this.#content.snapshot, wanted)
  }

  findWithIv(wanted: WantedKey): FoundKeyAndIv | undefined {
    this.#rejectExpired()
    return findKeyAndIv(this.#ref, this.#content.snapshot, wanted)
  }

  async deriveKids(label: KidLabel, parts: readonly (readonly string[])[]): Promise<DerivedKids> {
    const alive = await this.#alive()
    rejectDestroyed(this.#ref, alive.content)
    const lacksSecret = alive.content.snapshot.derivation === undefined
    const { content, first } = lacksSecret ? await this.#parts.creator.createSecret(this.#ref, []) : alive
    rejectDestroyed(this.#ref, content)
    const { derivation } = content.snapshot
    if (derivation === undefined) throw keysVanished(this.#ref)
    return { kids: parts.map((part) => derivation.kid(label, part)), first }
  }

  /** The content, ready to issue keys from: renewed or regenerated if needed. Most contents need neither. */
  #alive(): Creation | Promise<Creation> {
    const { revival } = this.#parts
    if (revival.isAlive(this.#ref, this.#content, () => this.#now())) return { content: this.#content, first: false }
    return revival.revive(this.#ref, this.#content, this.#now())
  }

  #rejectExpired(): void {
    if (isMortal(this.#content)) rejectExpired(this.#ref, this.#content, this.#now())
  }

  /** The time of the request in milliseconds since 1970. The clock is read once for all keys of a request. */
  #now(): number {
    this.#openedAt ??= this.#parts.time()
    return this.#openedAt
  }
}
