import type { BodyShare } from '../auth/presented.ts'
import { KeyProviderError } from '../core/errors.ts'

/** How much of the budget callers may use that have not proven who they are. */
const OF_STRANGERS = 0.5

/** The memory that all request bodies in flight may use together. A body counts from its first byte until its reply is made. */
export class BodyBudget {
  readonly maxBytes: number
  #used = 0
  #ofStrangers = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** The bytes of all bodies in flight. */
  get used(): number {
    return this.#used
  }

  /** Takes `count` bytes. Throws ERR_OVERLOADED if they do not fit; strangers leave half of the budget to known callers. */
  take(count: number, share: BodyShare): void {
    const isStranger = share === 'stranger'
    if (
      this.#used + count > this.maxBytes ||
      (isStranger && this.#ofStrangers + count > this.maxBytes * OF_STRANGERS)
    ) {
      throw new KeyProviderError(
        'ERR_OVERLOADED',
        `request bodies in flight: ${this.#used} of ${this.maxBytes} bytes are in use: try again`,
      )
    }
    this.#used += count
    if (isStranger) this.#ofStrangers += count
  }

  /** Gives back `count` bytes, `ofStrangers` of which a stranger took. */
  release(count: number, ofStrangers: number): void {
    this.#used -= count
    this.#ofStrangers -= ofStrangers
  }
}
