import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import type { DeriveContentSecret } from '../crypto/root-secret.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore, StoredContent } from '../ports/content-store.ts'
import { clockSteps } from './clock-steps.ts'
import { keysLost, storeBehind } from './errors.ts'
import type { Kept } from './lifetime.ts'
import type { RetentionOf } from './retention.ts'
import { covers, isBehind, isLost, NOTHING_STORED, openSnapshot, type Snapshot } from './snapshot.ts'

/**
 * A content in memory, as it stood when it was read. A node that read it just before it was destroyed answers from it until
 * `validUntil`; one that expired is not answered from at all, for its expiry is compared at each use.
 */
export interface CachedContent extends Kept {
  readonly validUntil: number
}

/** The contents in memory. Those of which nothing is stored are not kept. */
export interface ContentCache {
  /** The content, when it is young enough and knows the overrides of `kids`. */
  fresh(id: string, kids: readonly Kid[]): CachedContent | undefined
  /** The content from the store; from memory, loudly, while the store is away. Requests for one content share a reading. */
  load(ref: ContentRef, kids: readonly Kid[]): Promise<CachedContent>
  /** Takes what the store said after a write. */
  enter(ref: ContentRef, stored: StoredContent, kids: readonly Kid[]): Promise<CachedContent>
  /**
   * Whether what is stored of the time of contents is to be doubted: the store was away a short time ago, and nodes that issued
   * from memory could not keep those contents durably; or the clock was set.
   */
  isUnsettled(): boolean
}

export interface ContentCacheOptions {
  readonly store: Pick<ContentStore, 'findContent'>
  readonly dataKeys: DataKeys
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly time: () => number
  readonly revalidateMs: number
  readonly maxEntries: number
  readonly onStale: (error: KeyProviderError) => void
  readonly retention: RetentionOf
  /** Where a content has a secret although none is stored. */
  readonly deriveSecret?: DeriveContentSecret | undefined
}

/** A content with more overrides than are read at once keeps those of so many kids. */
const MAX_COVERED = 64
/** While the store is away it is asked for the same content no more often than this. */
const RETRY_MS = 1_000
/** So long after the store came back all that was issued meanwhile is kept, or was asked for again. */
const SETTLED_MS = 600_000

/** What names a content in memory: no two contents share it. */
export function contentCacheId({ tenant, contentId }: ContentRef): string {
  return `${tenant.length}:${tenant}${contentId}`
}

/** The memory of one content without overrides, in bytes, as `limits.cachedContents` counts it. */
const CONTENT_BYTES = 2_048

function bytesOfSnapshot({ sealedSecret, overrides, covered, kidOverrides }: Snapshot): number {
  let bytes = 1_024 + (sealedSecret?.length ?? 0) + 100 * (covered?.size ?? 0) + 200 * kidOverrides.length
  for (const { sealed, pssh } of overrides.values()) {
    bytes += 500 + sealed.length
    for (const box of Object.values(pssh)) bytes += 200 + box.length
  }
  return bytes
}

export function createContentCache(options: ContentCacheOptions): ContentCache {
  const { store, dataKeys, now, time, revalidateMs, maxEntries, onStale, retention, deriveSecret } = options
  const cache = new BoundedCache<CachedContent>({
    maxBytes: maxEntries * CONTENT_BYTES,
    sizeOf: ({ snapshot }) => bytesOfSnapshot(snapshot),
  })
  const wasSet = clockSteps(time, now)
  let awayAt = Number.NEGATIVE_INFINITY
  const loading = new Map<string, Promise<CachedContent>>()

  const keep = (ref: ContentRef, snapshot: Snapshot, validUntil: number): CachedContent => {
    const content = { snapshot, retention: retention(ref), validUntil }
    if (snapshot !== NOTHING_STORED) cache.set(contentCacheId(ref), content)
    return content
  }

  /** Uses `before` although the store did not confirm it. */
  const keepStale = (ref: ContentRef, before: Snapshot, error: KeyProviderError): CachedContent => {
    onStale(error)
    return keep(ref, before, now() + Math.min(RETRY_MS, revalidateMs))
  }

  /** A content that derives its secret is whole without anything stored, and is kept. */
  const nothingStored = (ref: ContentRef, before: Snapshot | undefined): Snapshot => {
    if (deriveSecret === undefined) return NOTHING_STORED
    return { ...NOTHING_STORED, derivation: before?.derivation ?? deriveSecret(ref) }
  }

  const read = async (ref: ContentRef, wanted: readonly Kid[]): Promise<CachedContent> => {
    const before = cache.get(contentCacheId(ref))?.snapshot
    const kids = kidsToRead(before, wanted)
    const validUntil = now() + revalidateMs
    try {
      const stored = await store.findContent(ref, kids)
      if (before !== undefined && isLost(before, stored)) throw keysLost(ref)
      if (before !== undefined && isBehind(before, stored)) throw storeBehind(ref)
      if (stored === undefined) return keep(ref, nothingStored(ref, before), validUntil)
      const snapshot = await openSnapshot(dataKeys, ref, stored, kids, before, deriveSecret)
      const targets = stored.kidOverrides.map(({ kid }) => kid)
      if (covers(snapshot, targets)) return keep(ref, snapshot, validUntil)
      // The kids that rules give instead will be asked for too.
      const all = [...new Set([...wanted, ...targets])]
      const again = (await store.findContent(ref, all)) ?? stored
      return keep(ref, await openSnapshot(dataKeys, ref, again, all, snapshot, deriveSecret), validUntil)
    } catch (error) {
      const isAway = error instanceof KeyProviderError && error.code === 'ERR_STORE_UNAVAILABLE'
      if (isAway) awayAt = now()
      if (isAway && before !== undefined && covers(before, wanted)) return keepStale(ref, before, error)
      throw error
    }
  }

  return {
    fresh(id, kids) {
      const content = cache.get(id)
      return content !== undefined && now() < content.validUntil && covers(content.snapshot, kids) ? content : undefined
    },

    async load(ref, kids) {
      const id = contentCacheId(ref)
      for (let running = loading.get(id); running !== undefined; running = loading.get(id)) {
        const content = await running
        if (covers(content.snapshot, kids)) return content
      }
      const reading = read(ref, kids).finally(() => loading.delete(id))
      loading.set(id, reading)
      return reading
    },

    async enter(ref, stored, kids) {
      const before = cache.get(contentCacheId(ref))?.snapshot
      const validUntil = now() + revalidateMs
      return keep(ref, await openSnapshot(dataKeys, ref, stored, kids, before, deriveSecret), validUntil)
    },

    isUnsettled() {
      if (wasSet()) awayAt = now()
      return now() < awayAt + SETTLED_MS
    },
  }
}

/** A content that is not known as a whole is read with the kids known so far, so that they stay known. */
function kidsToRead(before: Snapshot | undefined, wanted: readonly Kid[]): readonly Kid[] {
  if (before?.covered === undefined) return wanted
  const all = [...new Set([...before.covered, ...wanted])]
  return all.length <= MAX_COVERED ? all : wanted
}
