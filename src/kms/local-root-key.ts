import { randomBytes } from 'node:crypto'
import { link, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KeyProviderError } from '../errors.ts'
import type { RootKey } from '../keys/store.ts'
import { parseRootKeyFile, printRootKeyFile, rootKeyId } from './root-key-file.ts'
import { rootKeyOf } from './wrap.ts'

export interface LocalRootKeyOptions {
  readonly file: string
  /** Whether a root key may be made where there is none: only for a store that holds nothing yet. */
  readonly create: boolean
}

/** A root key kept in a file that its owner alone may read. Throws ERR_ROOT_KEY_MISSING or ERR_ROOT_KEY_INVALID. */
export async function openLocalRootKey(
  options: LocalRootKeyOptions,
): Promise<{ readonly rootKey: RootKey; readonly created: boolean }> {
  const { file, create } = options
  const text = await readPrivately(file)
  if (text !== undefined) return { rootKey: rootKeyOf(parseRootKeyFile(file, text)), created: false }
  if (!create) {
    throw new KeyProviderError(
      'ERR_ROOT_KEY_MISSING',
      `root key file ${file} is missing; without it the keys in ${dirname(file)} cannot be opened: restore it from its backup`,
    )
  }
  const key = randomBytes(32)
  const isOurs = await writeOnce(file, printRootKeyFile([{ id: rootKeyId(key), key }]))
  key.fill(0)
  // What is used is what a later start will read.
  const standing = await readPrivately(file)
  if (standing === undefined) throw unusable(file, 'it vanished while it was made', undefined)
  return { rootKey: rootKeyOf(parseRootKeyFile(file, standing)), created: isOurs }
}

/** The text of a file, or undefined when there is none. Refuses one that others may read. */
async function readPrivately(file: string): Promise<string | undefined> {
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

/** Writes a file that appears whole or not at all; false when another process made one first. Durable when it resolves. */
async function writeOnce(file: string, text: string): Promise<boolean> {
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`
  try {
    {
      await using handle = await open(draft, 'ax', 0o600)
      await handle.writeFile(text)
      await handle.sync()
    }
    await link(draft, file)
    await syncDirectory(dirname(file))
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw unusable(file, 'it cannot be made', error)
  } finally {
    await unlink(draft).catch((error: unknown) => {
      if (codeOf(error) !== 'ENOENT') throw unusable(draft, 'it cannot be removed', error)
    })
  }
}

async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, 'r')
  await handle.sync()
}

function unusable(file: string, problem: string, cause: unknown): KeyProviderError {
  return new KeyProviderError(
    'ERR_ROOT_KEY_INVALID',
    `root key file ${file}: ${problem} (${codeOf(cause) ?? 'no reason given'}); check its path and who may use its directory`,
    { cause },
  )
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
