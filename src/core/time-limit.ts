/** The work took longer than its time limit. */
export class TimeLimitError extends Error {
  override readonly name = 'TimeLimitError'

  constructor(ms: number) {
    super(`not finished within ${ms} ms`)
  }
}

/**
 * Starts work and returns its result. Throws TimeLimitError if the work takes longer than `ms` milliseconds; the signal of the
 * work is aborted then, and its later result or error is ignored.
 */
export async function withTimeLimit<T>(ms: number, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new TimeLimitError(ms))
    abort.abort()
  }, ms)
  try {
    return await Promise.race([start(abort.signal), late])
  } finally {
    clearTimeout(timer)
  }
}
