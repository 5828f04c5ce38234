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
