import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

/** A lock that this process holds. */
export interface FileLock {
  release(): void
}

const BUSY = 5

/**
 * Takes a lock on `file`, which is made if need be; undefined when another process, or another part of this one, has it. The
 * system itself frees it when the process ends, however it ends: SQLite's locks are those of the operating system, which
 * Node.js gives no other way to.
 */
export function tryLock(file: string): FileLock | undefined {
  makeOnce(file)
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    // In memory: nothing is ever written to the file.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return { release: () => db.close() }
  } catch (error) {
    db.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return undefined
    throw error
  }
}

/** Makes the file for its owner alone. One that is there is not even opened: to close it would free the lock that this process may have. */
function makeOnce(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
