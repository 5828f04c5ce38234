import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore } from '../ports/content-store.ts'
import type { LifeStore } from '../ports/lifetime-store.ts'
import type { CachedContent, ContentCache } from './cache.ts'
import { contentChanged, contentGone, keysLost } from './errors.ts'
import { birthOf, expiryOf, phaseOf } from './lifetime.ts'
import type { RetentionClass } from './retention.ts'
import { isLost, sameBytes } from './snapshot.ts'

export interface RevivalOptions {
  readonly store: Pick<
    ContentStore & LifeStore,
    'putExpiry' | 'putNextSecret' | 'putOverridesIfAbsent' | 'destroyExpired'
  >
  readonly cache: Pick<ContentCache, 'enter' | 'isUnsettled'>
  /** Writes a new content secret. */
  readonly withNewSecret: <T>(ref: ContentRef, write: (sealed: Uint8Array) => Promise<T>) => Promise<T>
  /** Told of a content that a request destroyed because its time was up, so that it gets a new secret. Must not throw. */
  readonly onExpired?: (ref: ContentRef, retention: RetentionClass) => void
}

/** A content that keys can be issued of. */
export interface Revived {
  readonly content: CachedContent
  /** Whether it was given a new secret, by this request. */
  readonly first: boolean
}

/** More steps than any content needs: others may be at work on it. */
const MAX_STEPS = 8
/** Why a content was destroyed that a late request asked for. */
export const ASKED_TOO_LATE = 'its retention had passed when it was asked for again'

/**
 * Keeps a content whose time is up, because an encryptor asks for it: durably, before it is answered. One whose grace has passed is
 * refused, or gets a new secret where its retention class says so; unless that is to be doubted: after the store was away,
 * for another node may have issued its keys from memory, or the clock was set. Then it is kept. Each step is a write that only one process can win, and goes on
 * with what stands after it; what memory says decides nothing.
 */
export function createRevival({ store, cache, withNewSecret, onExpired = () => {} }: RevivalOptions) {
  /** What stands, from where it is written. */
  const standing = async (ref: ContentRef, seen: CachedContent, now: number): Promise<CachedContent> => {
    const stored = await store.putOverridesIfAbsent(ref, [], birthOf(seen.retention, now))
    if (isLost(seen.snapshot, stored)) throw keysLost(ref)
    return cache.enter(ref, stored, [])
  }

  const nextSecret = (ref: ContentRef, { snapshot, retention }: CachedContent, now: number): Promise<Revived> =>
    withNewSecret(ref, async (sealed) => {
      const stored = await store.putNextSecret(ref, sealed, snapshot.epoch + 1, [], birthOf(retention, now))
      return { content: await cache.enter(ref, stored, []), first: sameBytes(stored.sealedSecret, sealed) }
    })

  return async (ref: ContentRef, seen: CachedContent, now: number): Promise<Revived> => {
    let revived: Revived = { content: seen, first: false }
    for (let step = 0; step < MAX_STEPS; step++) {
      const { content } = revived
      const { snapshot, retention } = content
      const phase = phaseOf(content, now)
      if (phase === 'alive') return revived
      if (phase === 'destroyed') throw contentGone(ref, snapshot.tombstone?.at ?? now)
      if (phase === 'lapsed') {
        revived = await nextSecret(ref, content, now)
        continue
      }
      if (phase === 'ending' || (phase === 'over' && cache.isUnsettled())) {
        await store.putExpiry([{ ...ref, expiresAt: birthOf(retention, now).expiresAt }])
      } else if (step > 0) {
        const expiresAt = expiryOf(content) ?? now
        if (retention.afterwards === 'gone') throw contentGone(ref, expiresAt + retention.graceMs)
        const destroyed = await store.destroyExpired([{ ...ref, expiresAt }], now, ASKED_TOO_LATE)
        if (destroyed.length > 0) onExpired(ref, retention)
      }
      revived = { content: await standing(ref, content, now), first: false }
    }
    throw contentChanged(ref)
  }
}
