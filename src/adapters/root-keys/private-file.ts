import { randomBytes } from 'node:crypto'
import { link, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KeyProviderError } from '../../core/errors.ts'

/** The text of a file, or undefined if it does not exist. Throws if other users can read it. */
export async function readPrivately(file: string): Promise<string | undefined> {
  try {
    await using handle = await open(file, 'r')
    const { mode } = await handle.stat()
    if ((mode & 0o077) !== 0) {
      throw new KeyProviderError(
        'ERR_ROOT_KEY_INVALID',
        `root key file ${file} can be read by other users (mode ${(mode & 0o777).toString(8)}): run chmod 600 ${file}`,
      )
    }
    return await handle.readFile('utf8')
  } catch (error) {
    if (error instanceof KeyProviderError) throw error
    if (codeOf(error) === 'ENOENT') return undefined
    throw unusable(file, 'it cannot be read', error)
  }
}

/**
 * Writes a file that appears completely or not at all. Returns false if another process created it first. The file is
 * durable when the promise resolves.
 */
export async function writeOnce(file: string, text: string): Promise<boolean> {
  return withDraft(file, text, async (draft) => {
    try {
      await link(draft, file)
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw error
    }
  })
}

/**
 * Replaces a file atomically: a reader sees the old text or the new one. The file is durable when the promise
 * resolves.
 */
export async function replacePrivately(file: string, text: string): Promise<void> {
  await withDraft(file, text, (draft) => rename(draft, file))
}

/** Runs `work` while no other process changes `file`. */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = `${file}.lock`
  try {
    await (await open(lock, 'wx', 0o600)).close()
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw unusable(lock, 'it cannot be made', error)
    throw new KeyProviderError(
      'ERR_ROOT_KEY_INVALID',
      `root key file ${file} is being changed by another process; if no such process runs, one was interrupted: delete ${lock}`,
    )
  }
  try {
    return await work()
  } finally {
    await unlink(lock)
  }
}

async function withDraft<T>(file: string, text: string, place: (draft: string) => Promise<T>): Promise<T> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`
  try {
    {
      await using handle = await open(draft, 'ax', 0o600)
      await handle.writeFile(text)
      await handle.sync()
    }
    const placed = await place(draft)
    await using directory = await open(dirname(file), 'r')
    await directory.sync()
    return placed
  } catch (error) {
    throw unusable(file, 'it cannot be made', error)
  } finally {
    await unlink(draft).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw unusable(draft, 'it cannot be removed', error)
    })
  }
}

/** The error for a root key file that the operating system does not let this process use. */
export function unusable(file: string, problem: string, cause: unknown): KeyProviderError {
  return new KeyProviderError(
    'ERR_ROOT_KEY_INVALID',
    `root key file ${file}: ${problem} (${codeOf(cause) ?? 'no reason given'}); check its path and who may use its directory`,
    { cause },
  )
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
