import { createHmac, type KeyObject } from 'node:crypto'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import { sameBytes } from '../credentials/constant-time.ts'

export interface DigestNoncesOptions {
  /** Shared by all nodes, so that each takes the nonces of every other. */
  readonly key: KeyObject
  readonly realm: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
  readonly lifetimeMs: number
  /** How many nonces are followed for replays. */
  readonly maxFollowed: number
}

export interface DigestNonces {
  issue(): string
  /** Takes each count of a nonce once. Call it when the response is proven. */
  use(nonce: string, count: number): 'fresh' | 'stale' | 'replayed'
}

/** How far other nodes' clocks may be ahead. */
const SKEW_MS = 5_000
const TIME = 6
const RANDOM = 8
const TAG = 16
const NONCE = /^[A-Za-z0-9_-]{40}$/
/** Counts may come out of order by this many: an encryptor may send requests of one nonce side by side. */
const WINDOW = 31

/** The counts of a nonce that were used: the highest, and a bit for each of the 31 below it. */
interface Used {
  readonly time: number
  highest: number
  below: number
}

/**
 * Nonces that need no memory: time ‖ random ‖ HMAC. The counts used with a nonce are remembered per node while it lives. When
 * too many nonces are followed, the oldest become stale rather than open to replay.
 *
 * @see RFC 7616, 3.3 (nonce), 5.4 (replay)
 */
export function createDigestNonces(options: DigestNoncesOptions): DigestNonces {
  const { key, realm, now, randomBytes, lifetimeMs, maxFollowed } = options
  const used = new Map<string, Used>()
  /** Nonces of this time and before are stale. */
  let forgotten = 0

  const tagOf = (head: Uint8Array): Buffer =>
    createHmac('sha256', key).update(head).update(realm).digest().subarray(0, TAG)

  const timeOf = (nonce: string): number | undefined => {
    if (!NONCE.test(nonce)) return undefined
    const bytes = Buffer.from(nonce, 'base64url')
    const head = bytes.subarray(0, TIME + RANDOM)
    return sameBytes(tagOf(head), bytes.subarray(TIME + RANDOM)) ? head.readUIntBE(0, TIME) : undefined
  }

  const forgetOldest = (): void => {
    for (const [nonce, { time }] of used) {
      if (used.size < maxFollowed && time > now() - lifetimeMs) return
      used.delete(nonce)
      // A nonce that only expired is stale by its own time.
      if (time > now() - lifetimeMs) forgotten = Math.max(forgotten, time)
    }
  }

  return {
    issue() {
      const head = Buffer.alloc(TIME + RANDOM)
      head.writeUIntBE(now(), 0, TIME)
      head.set(randomBytes(RANDOM), TIME)
      return Buffer.concat([head, tagOf(head)]).toString('base64url')
    },
    use(nonce, count) {
      const time = timeOf(nonce)
      if (time === undefined || time <= forgotten || time <= now() - lifetimeMs || time > now() + SKEW_MS)
        return 'stale'
      const seen = used.get(nonce)
      if (seen !== undefined) return take(seen, count) ? 'fresh' : 'replayed'
      forgetOldest()
      used.set(nonce, { time, highest: count, below: 0 })
      return 'fresh'
    },
  }
}

/** Marks a count as used. False when it was, or is too far below the highest to tell. */
function take(used: Used, count: number): boolean {
  const ahead = count - used.highest
  if (ahead > 0) {
    used.below = ahead > WINDOW ? 0 : ((used.below << ahead) | (1 << (ahead - 1))) >>> 0
    used.highest = count
    return true
  }
  const bit = ahead === 0 || -ahead > WINDOW ? 0 : 1 << (-ahead - 1)
  if (bit === 0 || (used.below & bit) !== 0) return false
  used.below |= bit
  return true
}
