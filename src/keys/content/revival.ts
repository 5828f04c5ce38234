import { type Schedule, WriteQueue } from '../../core/write-queue.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore, LifeStore } from '../ports/content-store.ts'
import { type CachedContent, type ContentCache, contentCacheId } from './cache.ts'
import type { Creation, KeyCreator } from './create.ts'
import { contentChanged, contentGone, keysLost } from './errors.ts'
import { birthOf, expiryOf, isMortal, needsRenewal, phaseOf, type RetentionClass, retentionEnded } from './lifetime.ts'
import { isLost, sameBytes } from './snapshot.ts'

interface RevivalOptions {
  readonly store: Pick<
    ContentStore & LifeStore,
    'putExpiry' | 'putNextSecret' | 'putOverridesIfAbsent' | 'destroyExpired'
  >
  readonly cache: ContentCache
  readonly creator: Pick<KeyCreator, 'withNewSecret'>
  readonly renewals: Pick<Renewals, 'renew'>
  /** Receives each content that a request destroyed after its grace period, in order to regenerate it. Must not throw. */
  readonly onExpired: (ref: ContentRef, retention: RetentionClass, reason: string) => void
}

/** More steps than any content needs, unless other processes change it at the same time. */
const MAX_STEPS = 8
/** Keeps contents alive that encryptors request. */
export class Revival {
  readonly #options: RevivalOptions
  readonly #renewed = new WeakSet<CachedContent>()
  readonly #reviving = new Map<string, Promise<Creation>>()

  constructor(options: RevivalOptions) {
    this.#options = options
  }

  /** Whether keys of the content can be issued without a write before the answer. Renews the content later if that is due. */
  isAlive(ref: ContentRef, content: CachedContent, at: () => number): boolean {
    if (!isMortal(content)) return true
    const now = at()
    if (phaseOf(content, now) !== 'alive') return false
    if (needsRenewal(content, now) && !this.#renewed.has(content)) {
      this.#renewed.add(content)
      this.#options.renewals.renew(ref, birthOf(content.retention, now).expiresAt)
    }
    return true
  }

  /**
   * Renews a content that expires, durably, or regenerates one that was destroyed after its grace period. One request at a time
   * does so for a content; the others use its result. Throws ERR_CONTENT_GONE for a content whose class does not regenerate.
   */
  async revive(ref: ContentRef, content: CachedContent, now: number): Promise<Creation> {
    const id = contentCacheId(ref)
    const running = this.#reviving.get(id)
    const reviving = running ?? this.#revive(ref, content, now).finally(() => this.#reviving.delete(id))
    if (running === undefined) this.#reviving.set(id, reviving)
    const revived = await reviving
    // The layout of the answer depends on the signalling that the request saw.
    if (revived.content.snapshot.signalingRevision !== content.snapshot.signalingRevision) throw contentChanged(ref)
    return running === undefined ? revived : { ...revived, first: false }
  }

  /**
   * Each step is a write that only one process can win, followed by a read of the primary: memory alone decides nothing. While
   * stored expiry times may be stale (after an outage of the store, or after the clock was set), a content past its grace period is
   * renewed instead of destroyed: another node may have issued its keys from memory.
   */
  async #revive(ref: ContentRef, seen: CachedContent, now: number): Promise<Creation> {
    const { store, cache, onExpired } = this.#options
    let revived: Creation = { content: seen, first: false }
    for (let step = 0; step < MAX_STEPS; step++) {
      const { content } = revived
      const { snapshot, retention } = content
      const phase = phaseOf(content, now)
      if (phase === 'alive') return revived
      if (phase === 'destroyed') throw contentGone(ref, snapshot.tombstone?.at ?? now)
      if (phase === 'lapsed') {
        revived = await this.#regenerate(ref, content, now)
        continue
      }
      if (phase === 'ending' || (phase === 'over' && cache.isUnsettled())) {
        await store.putExpiry([{ ...ref, expiresAt: birthOf(retention, now).expiresAt }])
      } else if (step > 0) {
        const expiresAt = expiryOf(content) ?? now
        if (retention.afterwards === 'gone') throw contentGone(ref, expiresAt + retention.graceMs)
        const reason = `${retentionEnded(expiresAt)}, and it was requested again after its grace period`
        const destroyed = await store.destroyExpired([{ ...ref, expiresAt }], now, reason)
        if (destroyed.length > 0) onExpired(ref, retention, reason)
      }
      revived = { content: await this.#readPrimary(ref, content, now), first: false }
    }
    throw contentChanged(ref)
  }

  async #readPrimary(ref: ContentRef, seen: CachedContent, now: number): Promise<CachedContent> {
    const { store, cache } = this.#options
    const stored = await store.putOverridesIfAbsent(ref, [], birthOf(seen.retention, now))
    if (isLost(seen.snapshot, stored)) throw keysLost(ref)
    return cache.enter(ref, stored, [])
  }

  #regenerate(ref: ContentRef, { snapshot, retention }: CachedContent, now: number): Promise<Creation> {
    const { store, cache, creator } = this.#options
    return creator.withNewSecret(ref, async (sealed) => {
      const stored = await store.putNextSecret(ref, sealed, snapshot.epoch + 1, [], birthOf(retention, now))
      return { content: await cache.enter(ref, stored, []), first: sameBytes(stored.sealedSecret, sealed) }
    })
  }
}

export interface RenewalsOptions {
  readonly store: Pick<ContentStore, 'putExpiry'>
  /** How long a renewal waits at most before it is written, in milliseconds. */
  readonly flushMs?: number
  /** How many contents may wait. */
  readonly maxWaiting?: number
  /** Receives the number of lost renewals. The next request for such a content renews it. */
  readonly onLoss?: (renewals: number) => void
  readonly onError?: (error: unknown) => void
  readonly schedule?: Schedule
}

type Renewal = Parameters<ContentStore['putExpiry']>[0][number]

/** How many renewals one write holds, so that other writes can run in between. */
const BATCH = 200

/** Writes the new expiry of requested contents later: no answer waits for it. */
export class Renewals {
  readonly #queue: WriteQueue<Renewal>

  constructor(options: RenewalsOptions) {
    const { store, flushMs = 1_000, maxWaiting = 100_000, onLoss = () => {}, onError = () => {} } = options
    this.#queue = new WriteQueue<Renewal>({
      write: (renewals) => store.putExpiry(renewals),
      delayMs: flushMs,
      maxItems: maxWaiting,
      maxBatch: BATCH,
      nameOf: ({ tenant, contentId }) => JSON.stringify([tenant, contentId]),
      onFailure(error, waiting) {
        onError(error)
        return waiting
      },
      onLoss: ({ length }) => onLoss(length),
      schedule: options.schedule,
    })
  }

  /** Sets when a content expires, within a second. Never throws. */
  renew({ tenant, contentId }: ContentRef, expiresAt: number | undefined): void {
    this.#queue.add({ tenant, contentId, expiresAt })
  }

  /** Writes what waits. If the write fails, the renewals wait for the next one. */
  flush(): Promise<void> {
    return this.#queue.flush()
  }

  /** Writes what is left, and reports what cannot be written. */
  close(): Promise<void> {
    return this.#queue.close()
  }
}
