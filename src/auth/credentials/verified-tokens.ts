import { hash } from 'node:crypto'
import { boundedCache } from '../../core/bounded-cache.ts'

/** What was found in tokens that were verified: the signature of a token is checked once. */
export interface VerifiedTokens<T> {
  get(token: string): T | undefined
  /** `until` is in milliseconds since 1970. */
  set(token: string, value: T, until: number): void
}

/** Remembers at most `max` tokens, each by its SHA-256: a token must not lie about in memory. */
export function createVerifiedTokens<T>(max: number, now: () => number): VerifiedTokens<T> {
  const remembered = boundedCache<{ readonly value: T; readonly until: number }>(max, () => 1)
  return {
    get(token) {
      const found = remembered.get(hashOf(token))
      return found !== undefined && now() < found.until ? found.value : undefined
    },
    set: (token, value, until) => remembered.set(hashOf(token), { value, until }),
  }
}

function hashOf(token: string): string {
  return hash('sha256', token, 'base64')
}
