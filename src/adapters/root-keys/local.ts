import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'
import { KeyProviderError } from '../../core/errors.ts'
import type { Secret } from '../../core/secret.ts'
import type { RootKey } from '../../keys/ports/root-key.ts'
import { parseRootKeyFile, printRootKeyFile, type RootKeyGeneration, rootKeyId } from './file.ts'
import { isSealedWithPassphrase, openWithPassphrase, sealWithPassphrase } from './passphrase.ts'
import { readPrivately, replacePrivately, unusable, withLock, writeOnce } from './private-file.ts'
import { rootKeyOf } from './wrapping.ts'

export interface LocalRootKeyOptions {
  readonly file: string
  /** Whether to create a missing root key. Set only for a store that holds nothing yet. */
  readonly create: boolean
  /** The passphrase that seals the file. A file without one is accepted too, and sealed at its next rotation. */
  readonly passphrase?: Secret<string> | undefined
}

/** A root key in a file that only its owner may read. Throws ERR_ROOT_KEY_MISSING or ERR_ROOT_KEY_INVALID. */
export async function openLocalRootKey(
  options: LocalRootKeyOptions,
): Promise<{ readonly rootKey: RootKey; readonly created: boolean }> {
  const { file, create, passphrase } = options
  const generations = await readGenerations(options)
  if (generations !== undefined) return { rootKey: rereading(options, generations), created: false }
  if (!create) throw missing(file)
  const key = randomBytes(32)
  const isOurs = await writeOnce(file, await printed([{ id: rootKeyId(key), key }], passphrase))
  key.fill(0)
  // Read the file back, so that this process uses exactly what the next start will read.
  const standing = await readGenerations(options)
  if (standing === undefined) throw unusable(file, 'it disappeared while it was being created', undefined)
  return { rootKey: rereading(options, standing), created: isOurs }
}

/**
 * Adds a generation to a root key file and returns its id. It wraps from now on; older generations still open what
 * they wrapped.
 */
export async function rotateLocalRootKey(options: Omit<LocalRootKeyOptions, 'create'>): Promise<string> {
  return changeGenerations(options, (generations) => {
    const key = randomBytes(32)
    return [...generations, { id: rootKeyId(key), key }]
  })
}

/** Removes the generations that `isNeeded` rejects, except the last. Returns how many it removed. */
export async function removeLocalGenerations(
  options: Omit<LocalRootKeyOptions, 'create'>,
  isNeeded: (id: string) => boolean,
): Promise<number> {
  let removed = 0
  await changeGenerations(options, (generations) => {
    const kept = generations.filter(({ id }, i) => i === generations.length - 1 || isNeeded(id.toString('hex')))
    removed = generations.length - kept.length
    return kept
  })
  return removed
}

/** Changes the file in one process at a time. Returns the id of the last generation afterwards. */
async function changeGenerations(
  options: Omit<LocalRootKeyOptions, 'create'>,
  change: (generations: readonly RootKeyGeneration[]) => readonly RootKeyGeneration[],
): Promise<string> {
  const { file, passphrase } = options
  return withLock(file, async () => {
    const before = await readGenerations(options)
    if (before === undefined) throw missing(file)
    const after = change(before)
    await replacePrivately(file, await printed(after, passphrase))
    const newest = after.at(-1)?.id.toString('hex') ?? ''
    for (const { key } of [...before, ...after]) key.fill(0)
    return newest
  })
}

/** A root key that rereads its file when it wraps or meets an unknown generation, so a rotation needs no restart. */
function rereading(options: LocalRootKeyOptions, generations: readonly RootKeyGeneration[]): RootKey {
  let current = rootKeyOf(generations)
  let reading: Promise<void> | undefined
  const readAgain = (): Promise<void> => {
    reading ??= readGenerations(options)
      .then((again) => {
        if (again !== undefined) current = rootKeyOf(again)
      })
      .finally(() => {
        reading = undefined
      })
    return reading
  }
  return {
    async wrap(dataKey, context) {
      // Wrapping is rare, so reading the file costs little. It avoids a generation that a rotation is about to remove.
      await readAgain()
      return current.wrap(dataKey, context)
    },
    async unwrap(wrapped, context) {
      const dataKey = await current.unwrap(wrapped, context)
      if (dataKey !== undefined) return dataKey
      await readAgain()
      return current.unwrap(wrapped, context)
    },
    describe: (wrapped) => current.describe?.(wrapped),
    isNewest: (wrapped) => current.isNewest?.(wrapped) ?? false,
    close: () => current.close(),
  }
}

async function readGenerations({
  file,
  passphrase,
}: Omit<LocalRootKeyOptions, 'create'>): Promise<readonly RootKeyGeneration[] | undefined> {
  const text = await readPrivately(file)
  if (text === undefined) return undefined
  if (!isSealedWithPassphrase(text)) return parseRootKeyFile(file, text)
  if (passphrase === undefined) {
    throw new KeyProviderError(
      'ERR_ROOT_KEY_INVALID',
      `root key file ${file} is sealed with a passphrase, and none is set: set rootKey.passphrase, ` +
        'or KEYSPRING_ROOT_KEY_PASSPHRASE_FILE to the file that holds it',
    )
  }
  return parseRootKeyFile(file, await openWithPassphrase(file, text, passphrase))
}

async function printed(
  generations: readonly RootKeyGeneration[],
  passphrase: Secret<string> | undefined,
): Promise<string> {
  const text = printRootKeyFile(generations)
  return passphrase === undefined ? text : sealWithPassphrase(text, passphrase)
}

function missing(file: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_ROOT_KEY_MISSING',
    `root key file ${file} is missing; without it the keys in ${dirname(file)} cannot be opened: restore it from its backup`,
  )
}
