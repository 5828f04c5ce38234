import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { PASSPHRASE_COST, type PassphraseCost, passphraseKey } from '../../../adapters/root-keys/passphrase.ts'
import { measure, writeArchive } from '../../../adapters/store/backup/archive.ts'
import { copyStore } from '../../../adapters/store/backup/copy.ts'
import { backupSqlite } from '../../../adapters/store/sqlite/maintenance.ts'
import { openSqliteStore } from '../../../adapters/store/sqlite/store.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import type { Secret } from '../../../core/secret.ts'
import { openStore, rootKeyNameOf, type Store } from '../../../server/assemble/open-store.ts'
import type { Config } from '../../../server/config/config.ts'
import { type KeysOptions, readKeysConfig, readSecretFile } from '../../shared/stored.ts'
import type { World } from '../../shared/world.ts'

export interface BackupOptions extends KeysOptions {
  readonly out: string
  readonly passphraseFile: string
}

/** Writes an encrypted archive of the configured store, while servers run. Throws ERR_BACKUP_INVALID. */
export async function backup(options: BackupOptions, world: World): Promise<void> {
  const archive = options.out
  if (existsSync(archive))
    throw new KeyProviderError('ERR_BACKUP_INVALID', `backup ${archive}: the file exists already: name another --out`)
  const passphrase = readSecretFile('--passphrase-file', options.passphraseFile, world)
  const config = readKeysConfig(options, world)
  await withScratch(dirname(resolve(archive)), async (scratch) => {
    const file = join(scratch, 'keyspring.db')
    await snapshot(config, file)
    const store = openSqliteStore({ file, create: false })
    const dataKeys = (await store.listDataKeys()).length
    const contents = await countContents(store)
    await store.close()
    const salt = randomBytes(16)
    const manifest = {
      createdAt: new Date().toISOString(),
      contents,
      dataKeys,
      ...(await measure(file)),
      salt: salt.toString('base64'),
      scrypt: PASSPHRASE_COST,
    }
    await writeArchive(file, archive, manifest, await archiveKey(passphrase, salt, PASSPHRASE_COST))
    world.stdout.line(
      `${archive}: ${contents} contents, ${dataKeys} data keys, ${manifest.size} bytes, SHA-256 ${manifest.sha256}`,
    )
  })
  world.stderr.line(
    `keyspring: the archive does not contain the root key (${rootKeyNameOf(config)}): back it up separately`,
  )
}

/** Writes the store as one SQLite file. Contents of PostgreSQL are copied one after the other, each in its current state. */
async function snapshot(config: Config, file: string): Promise<void> {
  if (config.store === 'sqlite') return backupSqlite(join(resolve(config.data), 'keyspring.db'), file)
  const { store } = await openStore(config, { create: false })
  const to = openSqliteStore({ file })
  try {
    await copyStore({ from: store, to })
  } finally {
    await to.close()
    await store.close()
  }
}

async function countContents(store: Store): Promise<number> {
  let contents = 0
  for (let after: Awaited<ReturnType<Store['listContents']>>[number] | undefined; ; ) {
    const page = await store.listContents(after, 1_000)
    contents += page.length
    after = page.at(-1)
    if (page.length < 1_000) return contents
  }
}

/** The key that encrypts an archive, from its passphrase. */
export async function archiveKey(
  passphrase: Secret<string>,
  salt: Uint8Array,
  cost: PassphraseCost,
): Promise<KeyObject> {
  const bytes = await passphraseKey(passphrase, salt, cost)
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

/** Gives `work` a temporary directory on the same disk as `near`, and deletes it. */
export async function withScratch(near: string, work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(near, '.keyspring-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}
