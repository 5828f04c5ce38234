import { KeyProviderError } from '../../core/errors.ts'

/** Told of a call that ended; `errorCode` is undefined for one that did its work. */
export type OnTimed = (durationMs: number, errorCode: string | undefined) => void

/** The code of an error as a label: a closed set. */
export function codeLabel(error: unknown): string {
  return error instanceof KeyProviderError ? error.code : 'UNFORESEEN'
}

/** The same function, with its duration and the code of its failure told. What it returns and throws is not changed. */
export function timed<A extends unknown[], R>(call: (...values: A) => R, tell: OnTimed): (...values: A) => R {
  return (...values) => {
    const startedAt = performance.now()
    const end = (error?: unknown): void =>
      tell(performance.now() - startedAt, error === undefined ? undefined : codeLabel(error))
    try {
      const result = call(...values)
      if (result instanceof Promise) {
        result.then(
          () => end(),
          (error: unknown) => end(error ?? 'thrown'),
        )
      } else end()
      return result
    } catch (error) {
      end(error ?? 'thrown')
      throw error
    }
  }
}
