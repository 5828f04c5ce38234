import { createSecretKey, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import {
  isAffordable,
  PASSPHRASE_COST,
  type PassphraseCost,
  passphraseKey,
} from '../../../adapters/root-keys/passphrase.ts'
import { measure, readArchive, readManifest, writeArchive } from '../../../adapters/store/backup/archive.ts'
import { type CopyReport, copyStore } from '../../../adapters/store/backup/copy.ts'
import { openPostgresStore } from '../../../adapters/store/postgres/store.ts'
import { backupSqlite } from '../../../adapters/store/sqlite/maintenance.ts'
import { openSqliteStore } from '../../../adapters/store/sqlite/store.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import { Secret } from '../../../core/secret.ts'
import { openKeys } from '../../../keys/crypto/open-keys.ts'
import { type DrillReport, proveOpens } from '../../../keys/maintenance/drill.ts'
import { openRootKeyOf, rootKeyNameOf } from '../../../server/assemble/open-root-key.ts'
import { openStore, type Store } from '../../../server/assemble/open-store.ts'
import type { Config } from '../../../server/config/config.ts'
import { type KeysOptions, readKeysConfig, readSecretFile } from '../../shared/keys-options.ts'
import { progressLine } from '../../shared/progress.ts'

/** Brings the schema of the configured store up to date. */
export async function migrate(options: KeysOptions): Promise<void> {
  const config = readKeysConfig(options, 'a migration')
  const { url } = config.postgres
  if (url === undefined) {
    // Opening does it.
    await (await openStore(config, { create: false })).store.close()
    print('the schema is up to date')
    return
  }
  const { migratePostgresStore } = await import('../../../adapters/store/postgres/store.ts')
  const { from, to, applied } = await migratePostgresStore({ url })
  for (const name of applied) print(`applied: ${name}`)
  print(from === to ? `the schema is up to date (${to})` : `the schema is ${to} now, it was ${from}`)
}

/** Copies one store into another, and compares what was copied. */
export async function copy(from: string, to: string): Promise<void> {
  const source = await openNamed(from, false)
  try {
    const target = await openNamed(to, true)
    try {
      const line = progressLine()
      const report = await copyStore({
        from: source,
        to: target,
        onProgress: ({ contents, written }) => line.say(contents, `${contents} contents, ${written} of them written`),
      })
      line.end()
      printCopied(report)
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** Writes an encrypted archive of the configured store, while servers go on. */
export async function backup(
  options: KeysOptions & { readonly out: string; readonly passphraseFile: string },
): Promise<void> {
  const archive = options.out
  if (existsSync(archive))
    throw new KeyProviderError('ERR_BACKUP_INVALID', `backup ${archive}: the file exists already`)
  const passphrase = readSecretFile('--passphrase-file', options.passphraseFile)
  const config = readKeysConfig(options, 'a backup')
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
    print(`${archive}: ${contents} contents, ${dataKeys} data keys, ${manifest.size} bytes, SHA-256 ${manifest.sha256}`)
  })
  process.stderr.write(
    `keyspring: the root key (${rootKeyNameOf(config)}) is not in it: back it up apart from this file\n`,
  )
}

export interface RestoreOptions extends KeysOptions {
  readonly from: string
  readonly passphraseFile: string
  readonly drill?: boolean
  readonly sample: string
}

/** Restores an archive as the SQLite store of the data directory, after a drill; with `drill` it leaves nothing but the proof. */
export async function restore(options: RestoreOptions): Promise<void> {
  const archive = options.from
  if (!/^[1-9]\d{0,8}$/.test(options.sample)) {
    throw new KeyProviderError('ERR_CONFIG_INVALID', '--sample: expected a whole number from 1')
  }
  const passphrase = readSecretFile('--passphrase-file', options.passphraseFile)
  const config = readKeysConfig(options, 'a restore')
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
    const proof = await drill(config, file, Number(options.sample))
    if (proof.contents !== contents) {
      throw new KeyProviderError(
        'ERR_BACKUP_INVALID',
        `backup ${archive}: expected ${contents} contents, found ${proof.contents}`,
      )
    }
    print(
      `made ${createdAt}: checksum right, ${contents} contents; opened ${proof.values} keys of ${proof.opened} contents`,
    )
    if (options.drill === true) return
    await rename(file, target)
    print(`restored: ${target}`)
  })
}

/** A store that can be named on the command line: `sqlite:DIRECTORY`, `config:FILE`, or `url-file:FILE`, which holds a postgres URL. */
async function openNamed(name: string, create: boolean): Promise<Store> {
  const [, kind, place = ''] = /^(sqlite|config|url-file):(.+)$/.exec(name) ?? []
  if (kind === 'sqlite') return openSqliteStore({ file: join(resolve(place), 'keyspring.db'), create })
  if (kind === 'config') return (await openStore(readKeysConfig({ config: place }, 'a copy'), { create })).store
  if (kind === 'url-file') {
    return openPostgresStore({ url: new Secret(readFileSync(place, 'utf8').trim()), migrate: create })
  }
  throw new KeyProviderError(
    'ERR_CONFIG_INVALID',
    'expected sqlite:DIRECTORY, config:FILE or url-file:FILE with a postgres:// URL in it (a password in an argument shows in ps)',
  )
}

/** The store as one SQLite file. That of PostgreSQL is copied, each content as it is when its turn comes. */
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

async function countContents(store: Store): Promise<number> {
  let contents = 0
  for (let after: Awaited<ReturnType<Store['listContents']>>[number] | undefined; ; ) {
    const page = await store.listContents(after, 1_000)
    contents += page.length
    after = page.at(-1)
    if (page.length < 1_000) return contents
  }
}

async function archiveKey(passphrase: Secret<string>, salt: Uint8Array, cost: PassphraseCost) {
  const bytes = await passphraseKey(passphrase, salt, cost)
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}

async function withScratch(near: string, work: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(near, '.keyspring-'))
  try {
    await work(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function printCopied({ contents, dataKeys, periods, clients, written }: CopyReport): void {
  print(
    `verified: ${contents} contents, ${dataKeys} data keys, ${periods} periods of the ledger, ${clients} clients; ` +
      `${written} contents were written now`,
  )
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
