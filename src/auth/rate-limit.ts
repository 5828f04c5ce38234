/** A token bucket for each client. */
export interface RateLimit {
  /** Takes one token. The whole seconds to wait when there is none (Retry-After), else undefined. */
  take(client: string): number | undefined
}

export interface RateLimitOptions {
  /** Tokens that come back per second. */
  readonly perSecond: number
  /** Tokens of a bucket that was left alone: what a rotation boundary may take at once. */
  readonly burst: number
  /** Milliseconds, of a clock that does not go back. */
  readonly now: () => number
  /** How many buckets are kept. One that is dropped starts full again. */
  readonly maxClients?: number
}

interface Bucket {
  tokens: number
  at: number
}

/** Limits the requests of each client by name. @see RFC 6585, 4 (429) */
export function createRateLimit({ perSecond, burst, now, maxClients = 10_000 }: RateLimitOptions): RateLimit {
  const buckets = new Map<string, Bucket>()

  const bucketOf = (client: string, at: number): Bucket => {
    const known = buckets.get(client)
    if (known !== undefined) return known
    // The oldest goes: an attacker has no names of clients, so only a server of very many clients gets here.
    for (const oldest of buckets.keys()) {
      if (buckets.size < maxClients) break
      buckets.delete(oldest)
    }
    const bucket: Bucket = { tokens: burst, at }
    buckets.set(client, bucket)
    return bucket
  }

  return {
    take(client) {
      const at = now()
      const bucket = bucketOf(client, at)
      bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) / 1_000) * perSecond)
      bucket.at = at
      if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / perSecond))
      bucket.tokens -= 1
      return undefined
    },
  }
}
