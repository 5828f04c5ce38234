import type { KeyAndIv, Kid } from '../../formats/cenc.ts'
import { type DataKeys, withCurrentDataKey } from '../crypto/data-keys.ts'
import { assertIvIsNotKey } from '../crypto/derive.ts'
import { type RandomBytes, seal } from '../crypto/seal.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { Birth, ContentStore, StoredOverride } from '../ports/content-store.ts'
import { type CachedContent, type ContentCache, contentCacheId } from './cache.ts'
import { type IssuedKeys, kidsOf, type WantedKey, wantedId } from './content-key.ts'
import { keysVanished, rejectDestroyed } from './errors.ts'
import { findAll } from './find.ts'
import { birthOf, type RetentionOf } from './lifetime.ts'
import { covers, overrideContext, type Snapshot, sameBytes } from './snapshot.ts'

interface KeyCreatorOptions {
  readonly store: Pick<ContentStore, 'putSecretIfAbsent' | 'putOverridesIfAbsent'>
  readonly dataKeys: Pick<DataKeys, 'current'>
  readonly cache: ContentCache
  /** Whether keys are derived from the content's secret; otherwise each key is random and stored. */
  readonly derives: boolean
  readonly retention: RetentionOf
  /** Milliseconds since 1970. */
  readonly time: () => number
  readonly randomBytes: RandomBytes
}

/** The stored content after a creation. */
export interface Creation {
  readonly content: CachedContent
  /** False if another process created it first. */
  readonly first: boolean
}

const SECRET_SIZE = 32
const KEY_SIZE = 16

/** Creates content secrets and random keys. If several processes create at the same time, all use what was stored first. */
export class KeyCreator {
  readonly #options: KeyCreatorOptions
  readonly #creating = new Map<string, Promise<Creation>>()

  constructor(options: KeyCreatorOptions) {
    this.#options = options
  }

  /** Reads or creates what `seen` lacks. One request at a time creates for a content; the others use its result. */
  async issue(ref: ContentRef, seen: CachedContent, wanted: readonly WantedKey[]): Promise<IssuedKeys> {
    const id = contentCacheId(ref)
    for (let running = this.#creating.get(id); running !== undefined; running = this.#creating.get(id)) await running
    const before = this.#options.cache.fresh(id, kidsOf(wanted)) ?? (await this.#covering(ref, seen, wanted))
    const keys = this.#find(ref, before, wanted)
    if (keys !== undefined) return { keys, first: false }
    if (this.#creating.has(id)) return this.issue(ref, before, wanted)

    const creation = this.#create(ref, before, wanted).finally(() => this.#creating.delete(id))
    this.#creating.set(id, creation)
    const { content, first } = await creation
    const created = this.#find(ref, content, wanted)
    if (created === undefined) throw keysVanished(ref)
    return { keys: created, first }
  }

  /** Stores a secret unless the content has one. */
  createSecret(ref: ContentRef, wanted: readonly WantedKey[]): Promise<Creation> {
    const { store, cache } = this.#options
    return this.withNewSecret(ref, async (sealed) => {
      const stored = await store.putSecretIfAbsent(ref, sealed, kidsOf(wanted), this.#birth(ref))
      const content = await cache.enter(ref, stored, kidsOf(wanted))
      return { content, first: sameBytes(stored.sealedSecret, sealed) }
    })
  }

  /** Calls `write` with a new random secret, sealed. */
  async withNewSecret<T>(ref: ContentRef, write: (sealed: Uint8Array) => Promise<T>): Promise<T> {
    const { dataKeys, randomBytes } = this.#options
    const secret = randomBytes(SECRET_SIZE)
    try {
      return await withCurrentDataKey(dataKeys, ref.tenant, (dataKey) =>
        write(seal(dataKey, { kind: 'content-secret', ref }, secret, randomBytes)),
      )
    } finally {
      secret.fill(0)
    }
  }

  #find(ref: ContentRef, content: CachedContent, wanted: readonly WantedKey[]): readonly KeyAndIv[] | undefined {
    rejectDestroyed(ref, content)
    return findAll(ref, content.snapshot, wanted, this.#options.derives)
  }

  /** `seen`, or a new read if `seen` does not know the overrides of every wanted kid. */
  async #covering(ref: ContentRef, seen: CachedContent, wanted: readonly WantedKey[]): Promise<CachedContent> {
    const kids: readonly Kid[] = kidsOf(wanted)
    return covers(seen.snapshot, kids) ? seen : this.#options.cache.load(ref, kids)
  }

  /** Stores what the keys lack. */
  async #create(ref: ContentRef, before: CachedContent, wanted: readonly WantedKey[]): Promise<Creation> {
    const missing = wanted.filter((one) => !before.snapshot.overrides.has(wantedId(one)))
    const overridden =
      !this.#options.derives && missing.length > 0
        ? await this.#createOverrides(ref, before.snapshot, missing)
        : { content: before, first: false }
    const content = await this.#covering(ref, overridden.content, wanted)
    // The secret gives derived keys, and the IV of an override without one.
    if (this.#find(ref, content, wanted) !== undefined) return { content, first: overridden.first }
    const secret = await this.createSecret(ref, wanted)
    return { content: secret.content, first: secret.first || overridden.first }
  }

  async #createOverrides(ref: ContentRef, before: Snapshot, missing: readonly WantedKey[]): Promise<Creation> {
    const { store, dataKeys, cache, randomBytes } = this.#options
    const distinct = new Map(missing.map((one) => [wantedId(one), one]))
    const clears = Array.from(distinct.values(), (one) => {
      // A content that has a secret keeps the keys it derives, which may have been issued.
      const { contentKey, explicitIv } =
        before.derivation?.keyAndIv(one.contentKeyClass, one.kid) ?? randomKeyAndIv(randomBytes)
      return { ...one, clear: Buffer.concat([contentKey, explicitIv]) }
    })
    try {
      return await withCurrentDataKey(dataKeys, ref.tenant, async (dataKey) => {
        const overrides = clears.map(({ clear, ...one }): StoredOverride => {
          const sealed = seal(dataKey, overrideContext(ref, one), clear, randomBytes)
          return { contentKeyClass: one.contentKeyClass, kid: one.kid, sealed, pssh: {} }
        })
        const stored = await store.putOverridesIfAbsent(ref, overrides, this.#birth(ref))
        const content = await cache.enter(ref, stored, kidsOf(missing))
        const current = content.snapshot.overrides
        const first = overrides.some((one) => sameBytes(current.get(wantedId(one))?.sealed, one.sealed))
        return { content, first }
      })
    } finally {
      for (const { clear } of clears) clear.fill(0)
    }
  }

  #birth(ref: ContentRef): Birth {
    return birthOf(this.#options.retention(ref), this.#options.time())
  }
}

function randomKeyAndIv(randomBytes: RandomBytes): KeyAndIv {
  const keyAndIv = { contentKey: randomBytes(KEY_SIZE), explicitIv: randomBytes(KEY_SIZE) }
  assertIvIsNotKey(keyAndIv)
  return keyAndIv
}
