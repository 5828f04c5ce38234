import { hash } from 'node:crypto'
import { BoundedCache } from '../../core/bounded-cache.ts'

/** What was found in tokens that were verified: the signature of a token is checked once. */
export interface VerifiedTokens<T> {
  get(token: string): T | undefined
  /** `until` is in milliseconds since 1970. */
  set(token: string, value: T, until: number): void
}

/** Remembers tokens by their SHA-256, so that no token stays in memory. What a token says is at most as long as the token. */
export function createVerifiedTokens<T>(maxBytes: number, now: () => number): VerifiedTokens<T> {
  const remembered = new BoundedCache<{ readonly value: T; readonly until: number; readonly length: number }>({
    maxBytes,
    sizeOf: ({ length }) => 200 + 2 * length,
  })
  return {
    get(token) {
      const found = remembered.get(hashOf(token))
      return found !== undefined && now() < found.until ? found.value : undefined
    },
    set: (token, value, until) => remembered.set(hashOf(token), { value, until, length: token.length }),
  }
}

function hashOf(token: string): string {
  return hash('sha256', token, 'base64')
}
