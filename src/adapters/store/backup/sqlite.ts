import { backup, DatabaseSync } from 'node:sqlite'
import { storeUnavailable, toEngineError } from '../sqlite/error.ts'

/** Copies a SQLite store as it is at one moment, while servers go on writing to it. */
export async function backupSqlite(file: string, target: string): Promise<void> {
  try {
    const db = new DatabaseSync(file, { readOnly: true })
    try {
      await backup(db, target)
    } finally {
      db.close()
    }
    // Whole in one file, for archives.
    const copy = new DatabaseSync(target)
    copy.exec('PRAGMA journal_mode = DELETE')
    copy.close()
  } catch (error) {
    throw storeUnavailable(file, toEngineError(error), error)
  }
}
