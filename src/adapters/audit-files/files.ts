import { closeSync, openSync } from 'node:fs'
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { KeyProviderError } from '../../core/errors.ts'
import type { AuditSink, AuditTail } from '../../operations/audit/sink.ts'
import { DAY_FILE, dayFilesOf, readEnd } from './reader.ts'

interface AuditFilesOptions {
  readonly directory: string
  readonly node: string
  /** How long to wait, in milliseconds, for another process with the same node name. */
  readonly lockWaitMs?: number
}

const LOCK_POLL_MS = 50

/** The files of one node's audit log: one per day, in the node's own directory, readable by their owner only. */
export function openAuditFiles({ directory, node, lockWaitMs = 10_000 }: AuditFilesOptions): AuditSink {
  const home = join(directory, node)
  let lock: FileLock | undefined
  let current: { readonly day: string; readonly handle: FileHandle } | undefined

  const closeFile = async (): Promise<void> => {
    const closing = current?.handle
    current = undefined
    await closing?.close()
  }

  const takeLock = async (): Promise<FileLock> => {
    for (let waited = 0; ; waited += LOCK_POLL_MS) {
      const taken = tryLock(join(home, 'lock'))
      if (taken !== undefined) return taken
      if (waited >= lockWaitMs) throw takenByOther(directory, node)
      await delay(LOCK_POLL_MS)
    }
  }

  /** The file of a day. If someone moved or removed it, a new file begins, and the chain shows what is missing. */
  const fileOf = async (day: string): Promise<FileHandle> => {
    const path = join(home, day + DAY_FILE)
    if (current?.day === day && (await isSame(current.handle, path))) return current.handle
    await closeFile()
    const handle = await open(path, 'a', 0o600)
    current = { day, handle }
    await syncDirectory(home)
    return handle
  }

  return {
    name: directory,

    async open() {
      await mkdir(home, { recursive: true, mode: 0o700 })
      lock ??= await takeLock()
      return findTail(home)
    },

    async append(day, text) {
      if (lock === undefined) throw takenByOther(directory, node)
      const handle = await fileOf(day)
      try {
        await handle.appendFile(text)
        await handle.datasync()
      } catch (error) {
        await closeFile()
        throw error
      }
    },

    async close() {
      await closeFile()
      lock?.release()
      lock = undefined
    },
  }
}

async function findTail(home: string): Promise<AuditTail | undefined> {
  const days = await dayFilesOf(home)
  const newest = days.at(-1)
  if (newest === undefined) return undefined
  let torn: Uint8Array | undefined
  for (const day of days.reverse()) {
    const end = await readEnd(join(home, day + DAY_FILE))
    if (day === newest) torn = end.torn
    if (end.line !== undefined) return { day: newest, torn, last: { day, line: end.line } }
  }
  return { day: newest, torn, last: undefined }
}

async function isSame(handle: FileHandle, path: string): Promise<boolean> {
  const own = await handle.stat()
  try {
    const { ino, dev } = await stat(path)
    return ino === own.ino && dev === own.dev
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}

async function syncDirectory(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

function takenByOther(directory: string, node: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_AUDIT_UNAVAILABLE',
    `the audit log ${directory} cannot be written: another process writes as the node ${node}; ` +
      'end that one, or give this one a name of its own (audit.node)',
  )
}

/** A lock held by this process. */
interface FileLock {
  release(): void
}

const BUSY = 5

/**
 * Locks `file`, creating it if necessary. Returns undefined if another process, or another part of this one, holds the
 * lock. The operating system releases the lock when the process ends. Node.js offers no file locks of its own, so the
 * lock is SQLite's.
 */
function tryLock(file: string): FileLock | undefined {
  makeOnce(file)
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    // The journal stays in memory, so that nothing is ever written to the file.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return { release: () => db.close() }
  } catch (error) {
    db.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === BUSY) return undefined
    throw error
  }
}

/** Creates the file with mode 0600. An existing file is not opened: closing it would release a lock of this process. */
function makeOnce(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
