import { createHmac, type KeyObject } from 'node:crypto'
import type { RandomBytes } from '../../keys/crypto/seal.ts'
import { sameBytes } from '../credentials/credential.ts'

interface DigestNoncesOptions {
  /** Shared by all nodes, so that each accepts the nonces of every other. */
  readonly key: KeyObject
  readonly realm: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly randomBytes: RandomBytes
  readonly lifetimeMs: number
  /** How many nonces are followed for replays. */
  readonly maxFollowed: number
}

/** How far the clocks of other nodes may be ahead. */
const SKEW_MS = 5_000
const TIME = 6
const RANDOM = 8
const TAG = 16
const NONCE = /^[A-Za-z0-9_-]{40}$/
/** Counts may arrive out of order by this many: an encryptor may send requests of one nonce in parallel. */
const WINDOW = 31

/** The counts of a nonce that were used: the highest, and a bit for each of the 31 below it. */
interface Used {
  readonly time: number
  highest: number
  below: number
}

/**
 * Nonces that need no memory: time ‖ random ‖ HMAC. The counts used with a nonce are remembered per node during its lifetime.
 * If too many nonces are followed, the oldest become stale: a replay is never accepted.
 * @see RFC 7616, 3.3 (nonce), 5.4 (replay)
 */
export class DigestNonces {
  readonly #options: DigestNoncesOptions
  readonly #used = new Map<string, Used>()
  /** Nonces of this time and earlier are stale. */
  #forgottenUntil = 0

  constructor(options: DigestNoncesOptions) {
    this.#options = options
  }

  issue(): string {
    const { now, randomBytes } = this.#options
    const head = Buffer.alloc(TIME + RANDOM)
    head.writeUIntBE(now(), 0, TIME)
    head.set(randomBytes(RANDOM), TIME)
    return Buffer.concat([head, this.#tagOf(head)]).toString('base64url')
  }

  /** Accepts each count of a nonce once. Call it when the response is proven. */
  use(nonce: string, count: number): 'fresh' | 'stale' | 'replayed' {
    const { now, lifetimeMs } = this.#options
    const time = this.#timeOf(nonce)
    const isStale = time === undefined || time <= this.#forgottenUntil || time <= now() - lifetimeMs
    if (isStale || time > now() + SKEW_MS) return 'stale'
    const seen = this.#used.get(nonce)
    if (seen !== undefined) return take(seen, count) ? 'fresh' : 'replayed'
    this.#forgetOldest()
    this.#used.set(nonce, { time, highest: count, below: 0 })
    return 'fresh'
  }

  #tagOf(head: Uint8Array): Buffer {
    const { key, realm } = this.#options
    return createHmac('sha256', key).update(head).update(realm).digest().subarray(0, TAG)
  }

  #timeOf(nonce: string): number | undefined {
    if (!NONCE.test(nonce)) return undefined
    const bytes = Buffer.from(nonce, 'base64url')
    const head = bytes.subarray(0, TIME + RANDOM)
    return sameBytes(this.#tagOf(head), bytes.subarray(TIME + RANDOM)) ? head.readUIntBE(0, TIME) : undefined
  }

  #forgetOldest(): void {
    const { now, lifetimeMs, maxFollowed } = this.#options
    for (const [nonce, { time }] of this.#used) {
      const isExpired = time <= now() - lifetimeMs
      if (this.#used.size < maxFollowed && !isExpired) return
      this.#used.delete(nonce)
      // An expired nonce is stale by its own time.
      if (!isExpired) this.#forgottenUntil = Math.max(this.#forgottenUntil, time)
    }
  }
}

/** Marks a count as used. False if it was used, or is too far below the highest to know. */
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
