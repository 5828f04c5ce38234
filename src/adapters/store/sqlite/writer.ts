import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { KeyProviderError } from '../../../core/errors.ts'
import { type EngineError, toEngineError } from './error.ts'
import { type SqliteWrites, sqliteWrites } from './writes.ts'

// The writer thread. It owns the only connection that writes, so that waiting for the disk never stops the event loop.

/** The start parameters of the thread. */
export interface WriterData {
  readonly file: string
  readonly busyTimeoutMs: number
  readonly pragmas: string
}

/** The requests that the thread understands. */
export interface WriterVerbs extends SqliteWrites {
  /** Rewrites existing data, to check whether a write can be made durable now. */
  checkWrites(): void
}

/** One write of a group. */
export interface Write {
  readonly verb: keyof WriterVerbs
  readonly values: readonly unknown[]
}

/** The result of a write. It is reported only after the commit of its group. */
export type Written =
  | { readonly value: unknown }
  | { readonly refused: Pick<KeyProviderError, 'code' | 'message'> }
  | { readonly failed: EngineError }

/** `close` ends the thread; anything else is a group of writes. */
export type WriterMessage = 'close' | readonly Write[]

if (parentPort !== null) {
  const port = parentPort
  const { file, busyTimeoutMs, pragmas } = workerData as WriterData
  let opened: { readonly db: DatabaseSync; readonly writes: WriterVerbs } | undefined

  const open = () => {
    const db = new DatabaseSync(file, { timeout: busyTimeoutMs })
    db.exec(pragmas)
    return { db, writes: { ...sqliteWrites(db), checkWrites: () => rewriteHeader(db) } }
  }

  port.on('message', (message: WriterMessage) => {
    if (message === 'close') {
      opened?.db.close()
      port.close()
      return
    }
    try {
      opened ??= open()
      port.postMessage(commit(opened.db, opened.writes, message))
    } catch (error) {
      const failed = toEngineError(error)
      port.postMessage(message.map((): Written => ({ failed })))
    }
  })
}

/**
 * Runs a group in one transaction. A failed write is rolled back alone; if the commit fails, all writes of the group
 * fail.
 */
function commit(db: DatabaseSync, writes: WriterVerbs, group: readonly Write[]): readonly Written[] {
  db.exec('BEGIN IMMEDIATE')
  try {
    const written = group.map((write) => run(db, writes, write))
    db.exec('COMMIT')
    return written
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function run(db: DatabaseSync, writes: WriterVerbs, { verb, values }: Write): Written {
  const write = writes[verb] as (...values: readonly unknown[]) => unknown
  db.exec('SAVEPOINT one')
  try {
    const value = write(...values)
    db.exec('RELEASE one')
    return { value }
  } catch (error) {
    // Some failures, such as a full disk, roll back the whole transaction: then nothing of the group is stored.
    if (!db.isTransaction) throw error
    db.exec('ROLLBACK TO one; RELEASE one')
    if (error instanceof KeyProviderError) return { refused: { code: error.code, message: error.message } }
    return { failed: toEngineError(error) }
  }
}

/** Rewrites the schema version: one page, in the transaction of its group like any other write. */
function rewriteHeader(db: DatabaseSync): void {
  const { user_version } = db.prepare('PRAGMA user_version').get() ?? {}
  db.exec(`PRAGMA user_version = ${Number(user_version)}`)
}
