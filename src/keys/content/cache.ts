import { BoundedCache } from '../../core/bounded-cache.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { DataKeys } from '../crypto/data-keys.ts'
import type { DeriveContentSecret } from '../crypto/root-secret.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import type { ContentStore, StoredContent } from '../ports/content-store.ts'
import { keysLost, storeBehind } from './errors.ts'
import type { KeptContent, RetentionOf } from './lifetime.ts'
import { covers, isBehind, isLost, NOTHING_STORED, openSnapshot, type Snapshot } from './snapshot.ts'

/**
 * A content in memory. Until `validUntil`, a node answers from it without reading the store, even if another node destroyed the
 * content meanwhile. Its expiry is checked at each use.
 */
export interface CachedContent extends KeptContent {
  /** Milliseconds of the monotonic clock. */
  readonly validUntil: number
}

interface ContentCacheOptions {
  readonly store: Pick<ContentStore, 'findContent'>
  readonly dataKeys: Pick<DataKeys, 'find'>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Milliseconds since 1970. */
  readonly time: () => number
  /** How long a content is used before it is read again, in milliseconds. */
  readonly revalidateMs: number
  /** How many contents without overrides are kept. */
  readonly maxEntries: number
  /** Receives the error of the store when a content is used without confirmation by the store. */
  readonly onStale: (error: KeyProviderError) => void
  readonly retention: RetentionOf
  /** Derives the secret of a content that has none stored. */
  readonly deriveSecret?: DeriveContentSecret | undefined
}

/** How many kids a content with many overrides keeps the overrides of. */
const MAX_COVERED = 64
/** While the store is unavailable, it is asked for the same content at most this often. */
const RETRY_MS = 1_000
/** After this time, every key that was issued during an outage of the store has been renewed or requested again. */
const SETTLED_MS = 600_000

/** The memory of one content without overrides, in bytes, as `maxEntries` counts it. */
const CONTENT_BYTES = 2_048

/** A string that identifies a content in memory. */
export function contentCacheId({ tenant, contentId }: ContentRef): string {
  return `${tenant.length}:${tenant}${contentId}`
}

/** The contents in memory. Contents that are not stored are not kept. */
export class ContentCache {
  readonly #options: ContentCacheOptions
  readonly #contents: BoundedCache<CachedContent>
  readonly #clock: ClockSteps
  readonly #loading = new Map<string, Promise<CachedContent>>()
  /** When the store was last unavailable or the clock was set. */
  #unsettledAt = Number.NEGATIVE_INFINITY

  constructor(options: ContentCacheOptions) {
    this.#options = options
    this.#contents = new BoundedCache<CachedContent>({
      maxBytes: options.maxEntries * CONTENT_BYTES,
      sizeOf: ({ snapshot }) => bytesOfSnapshot(snapshot),
    })
    this.#clock = new ClockSteps(options.time, options.now)
  }

  /** The content, if it is valid and knows the overrides of `kids`. */
  fresh(id: string, kids: readonly Kid[]): CachedContent | undefined {
    const content = this.#contents.get(id)
    if (content === undefined || this.#options.now() >= content.validUntil) return undefined
    return covers(content.snapshot, kids) ? content : undefined
  }

  /**
   * Reads the content from the store. While the store is unavailable, returns the content in memory and calls `onStale`. Requests
   * for one content share a read.
   */
  async load(ref: ContentRef, kids: readonly Kid[]): Promise<CachedContent> {
    const id = contentCacheId(ref)
    for (let running = this.#loading.get(id); running !== undefined; running = this.#loading.get(id)) {
      const content = await running
      if (covers(content.snapshot, kids)) return content
    }
    const reading = this.#read(ref, kids).finally(() => this.#loading.delete(id))
    this.#loading.set(id, reading)
    return reading
  }

  /** Keeps what the store returned after a write. */
  async enter(ref: ContentRef, stored: StoredContent, kids: readonly Kid[]): Promise<CachedContent> {
    const { now, revalidateMs } = this.#options
    const validUntil = now() + revalidateMs
    return this.#keep(ref, await this.#open(ref, stored, kids, this.#snapshotOf(ref)), validUntil)
  }

  /**
   * Whether stored expiry times may be stale: in the ten minutes after an outage of the store, during which nodes issued keys from
   * memory and could not renew contents, or after the clock was set.
   */
  isUnsettled(): boolean {
    const { now } = this.#options
    if (this.#clock.wasSet()) this.#unsettledAt = now()
    return now() < this.#unsettledAt + SETTLED_MS
  }

  async #read(ref: ContentRef, wanted: readonly Kid[]): Promise<CachedContent> {
    const { store, now, revalidateMs } = this.#options
    const before = this.#snapshotOf(ref)
    const kids = kidsToRead(before, wanted)
    const validUntil = now() + revalidateMs
    try {
      const stored = await store.findContent(ref, kids)
      if (before !== undefined && isLost(before, stored)) throw keysLost(ref)
      if (before !== undefined && isBehind(before, stored)) throw storeBehind(ref)
      if (stored === undefined) return this.#keep(ref, this.#nothingStored(ref, before), validUntil)
      const snapshot = await this.#open(ref, stored, kids, before)
      const overriddenKids = stored.kidOverrides.map(({ kid }) => kid)
      if (covers(snapshot, overriddenKids)) return this.#keep(ref, snapshot, validUntil)
      // The request will also need the keys of the kids that kid overrides name.
      const all = [...new Set([...wanted, ...overriddenKids])]
      const again = (await store.findContent(ref, all)) ?? stored
      return this.#keep(ref, await this.#open(ref, again, all, snapshot), validUntil)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      this.#unsettledAt = now()
      if (before === undefined || !covers(before, wanted)) throw error
      return this.#keepStale(ref, before, error)
    }
  }

  #open(ref: ContentRef, stored: StoredContent, kids: readonly Kid[], before: Snapshot | undefined): Promise<Snapshot> {
    const { dataKeys, deriveSecret } = this.#options
    return openSnapshot(dataKeys, ref, stored, kids, before, deriveSecret)
  }

  #keep(ref: ContentRef, snapshot: Snapshot, validUntil: number): CachedContent {
    const content = { snapshot, retention: this.#options.retention(ref), validUntil }
    if (snapshot !== NOTHING_STORED) this.#contents.set(contentCacheId(ref), content)
    return content
  }

  /** Uses `before` although the store did not confirm it. */
  #keepStale(ref: ContentRef, before: Snapshot, error: KeyProviderError): CachedContent {
    const { now, revalidateMs, onStale } = this.#options
    onStale(error)
    return this.#keep(ref, before, now() + Math.min(RETRY_MS, revalidateMs))
  }

  /** A content whose secret is derived is complete although nothing is stored, and is kept. */
  #nothingStored(ref: ContentRef, before: Snapshot | undefined): Snapshot {
    const { deriveSecret } = this.#options
    if (deriveSecret === undefined) return NOTHING_STORED
    return { ...NOTHING_STORED, derivation: before?.derivation ?? deriveSecret(ref) }
  }

  #snapshotOf(ref: ContentRef): Snapshot | undefined {
    return this.#contents.get(contentCacheId(ref))?.snapshot
  }
}

function bytesOfSnapshot({ sealedSecret, overrides, covered, kidOverrides }: Snapshot): number {
  let bytes = 1_024 + (sealedSecret?.length ?? 0) + 100 * (covered?.size ?? 0) + 200 * kidOverrides.length
  for (const { sealed, pssh } of overrides.values()) {
    bytes += 500 + sealed.length
    for (const box of Object.values(pssh)) bytes += 200 + box.length
  }
  return bytes
}

/** The kids to read the overrides of: the wanted ones, and those known so far, so that they stay known. */
function kidsToRead(before: Snapshot | undefined, wanted: readonly Kid[]): readonly Kid[] {
  if (before?.covered === undefined) return wanted
  const all = [...new Set([...before.covered, ...wanted])]
  return all.length <= MAX_COVERED ? all : wanted
}

function isUnavailable(error: unknown): error is KeyProviderError {
  return error instanceof KeyProviderError && error.code === 'ERR_STORE_UNAVAILABLE'
}

/** A larger difference than clock synchronization corrects without setting the clock. */
const STEP_MS = 60_000

/** Detects that the clock was set, by comparing it with a monotonic clock. */
export class ClockSteps {
  readonly #time: () => number
  readonly #now: () => number
  #difference: number

  /** `time` is in milliseconds since 1970; `now` is in milliseconds of a monotonic clock. */
  constructor(time: () => number, now: () => number) {
    this.#time = time
    this.#now = now
    this.#difference = time() - now()
  }

  /** Whether the clock was set since the last call. */
  wasSet(): boolean {
    const before = this.#difference
    this.#difference = this.#time() - this.#now()
    return Math.abs(this.#difference - before) > STEP_MS
  }
}
