import { hash } from 'node:crypto'

interface RateLimitOptions {
  /** Tokens that come back per second. */
  readonly perSecond: number
  /** Tokens of a full bucket: the requests that may come at once, such as at a rotation boundary. */
  readonly burst: number
  /** Milliseconds. */
  readonly now: () => number
  /** How many buckets are kept. A bucket that is dropped starts full again. */
  readonly maxBuckets?: number
}

interface Bucket {
  tokens: number
  at: number
}

/** A longer name is kept as its hash, so that all buckets together stay under 30 MB. */
const MAX_NAME = 64

/** A token bucket for each name, such as a client, a player or an address. @see RFC 6585, 4 (429) */
export class RateLimit {
  readonly #options: Required<RateLimitOptions>
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: RateLimitOptions) {
    this.#options = { maxBuckets: 10_000, ...options }
  }

  /** Takes one token. If there is none: the whole seconds to wait (`Retry-After`), else undefined. */
  take(name: string): number | undefined {
    const bucket = this.#refill(name)
    if (bucket.tokens < 1) return this.#waitOf(bucket)
    bucket.tokens -= 1
    return undefined
  }

  /** The whole seconds until there is a token; undefined if there is one. It takes none. */
  peek(name: string): number | undefined {
    if (!this.#buckets.has(keyOf(name))) return undefined
    const bucket = this.#refill(name)
    return bucket.tokens < 1 ? this.#waitOf(bucket) : undefined
  }

  #refill(name: string): Bucket {
    const { burst, perSecond, now } = this.#options
    const at = now()
    const bucket = this.#bucketOf(keyOf(name), at)
    // A wall clock may be set back: then nothing comes back for that time, and nothing is taken away.
    const seconds = Math.max(0, at - bucket.at) / 1_000
    bucket.tokens = Math.min(burst, bucket.tokens + seconds * perSecond)
    bucket.at = at
    return bucket
  }

  #bucketOf(key: string, at: number): Bucket {
    const known = this.#buckets.get(key)
    if (known !== undefined) return known
    // The oldest goes first: it had the most time to fill up again.
    for (const oldest of this.#buckets.keys()) {
      if (this.#buckets.size < this.#options.maxBuckets) break
      this.#buckets.delete(oldest)
    }
    const bucket = { tokens: this.#options.burst, at }
    this.#buckets.set(key, bucket)
    return bucket
  }

  #waitOf({ tokens }: Bucket): number {
    return Math.max(1, Math.ceil((1 - tokens) / this.#options.perSecond))
  }
}

function keyOf(name: string): string {
  return name.length <= MAX_NAME ? name : hash('sha256', name, 'base64')
}
