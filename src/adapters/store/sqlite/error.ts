import { KeyProviderError } from '../../../core/errors.ts'

/** An error of SQLite in a form that crosses from the writer thread. */
export interface EngineError {
  readonly message: string
  /** SQLite's extended result code; undefined for other failures. */
  readonly errcode: number | undefined
}

/** The remedy for a primary result code. @see https://www.sqlite.org/rescode.html */
const REMEDIES: Readonly<Record<number, string>> = {
  5: 'it is locked by another process: end the process that holds it, or let it finish',
  6: 'it is locked by another process: end the process that holds it, or let it finish',
  8: 'it cannot be written: let the user that runs keyspring write the file and its directory',
  10: 'reading or writing the disk failed: check the disk, then restore the store from a backup if necessary',
  11: 'the file is damaged: restore it from a backup',
  13: 'the disk is full: free some space; known contents are still answered',
  14: 'it cannot be opened: check that its directory exists and that the user that runs keyspring may use it',
  26: 'the file is not a keyspring store: name another file, or restore it from a backup',
}

export function toEngineError(error: unknown): EngineError {
  const message = error instanceof Error ? error.message : String(error)
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined
  return { message, errcode }
}

/** The error for every failure of the store in `file`. */
export function storeUnavailable(file: string, { message, errcode }: EngineError, cause?: unknown): KeyProviderError {
  const remedy = errcode === undefined ? undefined : REMEDIES[errcode & 0xff]
  return new KeyProviderError('ERR_STORE_UNAVAILABLE', `the store ${file} does not answer: ${remedy ?? message}`, {
    cause: cause ?? Object.assign(new Error(message), { errcode }),
  })
}

/** Runs `work` and wraps what it throws, once. */
export function onEngine<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof KeyProviderError) throw error
    throw storeUnavailable(file, toEngineError(error), error)
  }
}
