import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { isAffordable } from '../../../adapters/root-keys/passphrase.ts'
import { readArchive, readManifest } from '../../../adapters/store/backup/archive.ts'
import { openSqliteStore } from '../../../adapters/store/sqlite/store.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import { openKeys } from '../../../keys/crypto/data-keys.ts'
import { type DrillReport, proveOpens } from '../../../keys/maintenance/drill.ts'
import { openRootKeyOf, rootKeyNameOf } from '../../../server/assemble/open-store.ts'
import type { Config } from '../../../server/config/config.ts'
import { readNumber } from '../../shared/options.ts'
import { type KeysOptions, readKeysConfig, readSecretFile } from '../../shared/stored.ts'
import type { World } from '../../shared/world.ts'
import { archiveKey, withScratch } from './backup.ts'

export interface RestoreOptions extends KeysOptions {
  readonly from: string
  readonly passphraseFile: string
  readonly drill?: boolean
  readonly sample: string
}

/**
 * Restores an archive as the SQLite store of the data directory, after it opened a sample of its contents. With `drill`, only
 * opens the sample. Throws ERR_STORE_CONFLICT if there is a store already, and ERR_BACKUP_INVALID.
 */
export async function restore(options: RestoreOptions, world: World): Promise<void> {
  const archive = options.from
  const sample = readNumber('--sample', options.sample, 1, 999_999_999)
  const passphrase = readSecretFile('--passphrase-file', options.passphraseFile, world)
  const config = readKeysConfig(options, world)
  const data = resolve(config.data)
  const target = join(data, 'keyspring.db')
  if (options.drill !== true && existsSync(target)) {
    throw new KeyProviderError(
      'ERR_STORE_CONFLICT',
      `the store ${target} exists already: move it away, or name another --data`,
    )
  }
  if (!existsSync(data)) mkdirSync(data, { mode: 0o700 })
  const { salt, scrypt } = await readManifest(archive)
  if (!isAffordable(scrypt))
    throw new KeyProviderError('ERR_BACKUP_INVALID', `backup ${archive}: its manifest is damaged`)
  const key = await archiveKey(passphrase, Buffer.from(salt, 'base64'), scrypt)
  await withScratch(data, async (scratch) => {
    const file = join(scratch, 'keyspring.db')
    const { createdAt, contents } = await readArchive(archive, file, key)
    const proof = await drill(config, file, sample)
    if (proof.contents !== contents) {
      throw new KeyProviderError(
        'ERR_BACKUP_INVALID',
        `backup ${archive}: expected ${contents} contents, found ${proof.contents}`,
      )
    }
    world.stdout.line(
      `made ${createdAt}: checksum right, ${contents} contents; opened ${proof.values} keys of ${proof.opened} contents`,
    )
    if (options.drill === true) return
    await rename(file, target)
    world.stdout.line(`restored: ${target}`)
  })
}

async function drill(config: Config, file: string, sample: number): Promise<DrillReport> {
  const store = openSqliteStore({ file, create: false })
  const rootKeyName = rootKeyNameOf(config)
  const openRootKey = () => openRootKeyOf(config, false)
  try {
    const { rootKey, dataKeys } = await openKeys({ store, openRootKey, rootKeyName, randomBytes })
    try {
      return await proveOpens({ store, dataKeys, sample, random: Math.random })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
}
