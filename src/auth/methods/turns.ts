import { KeyProviderError } from '../../core/errors.ts'

/** Runs work some at a time, first come first served. Throws ERR_OVERLOADED when too much of it waits already. */
export type TakeTurn = <T>(work: () => Promise<T>) => Promise<T>

/** At most `atOnce` under way and `maxWaiting` waiting. */
export function createTurns(atOnce: number, maxWaiting: number): TakeTurn {
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running < atOnce) running++
    else if (waiting.length < maxWaiting) await new Promise<void>((resolve) => waiting.push(resolve))
    else throw new KeyProviderError('ERR_OVERLOADED', 'too many passwords are being checked at this moment: try again')
    try {
      return await work()
    } finally {
      // The place goes to the next, or back.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
