/** More than clocks are corrected by without being set. */
const STEP_MS = 60_000

/**
 * Tells whether the clock was set since it was last asked. `time` is in milliseconds since 1970; `now` of a clock that does not go
 * back and is not set.
 */
export function clockSteps(time: () => number, now: () => number): () => boolean {
  let apart = time() - now()
  return () => {
    const before = apart
    apart = time() - now()
    return Math.abs(apart - before) > STEP_MS
  }
}
