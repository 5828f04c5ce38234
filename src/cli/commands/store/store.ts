import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { type CopyReport, copyStore } from '../../../adapters/store/backup/copy.ts'
import { migratePostgresStore, openPostgresStore } from '../../../adapters/store/postgres/store.ts'
import { openSqliteStore } from '../../../adapters/store/sqlite/store.ts'
import { wrongUsage } from '../../../core/errors.ts'
import { Secret } from '../../../core/secret.ts'
import { openStore, type Store } from '../../../server/assemble/open-store.ts'
import { examples } from '../../shared/options.ts'
import { addKeysOptions, type KeysOptions, readKeysConfig } from '../../shared/stored.ts'
import { ProgressLine, type World } from '../../shared/world.ts'
import { type BackupOptions, backup } from './backup.ts'
import { type RestoreOptions, restore } from './restore.ts'

/** Defines `keyspring store migrate|copy|backup|restore`. */
export function defineStore(store: Command, world: World): void {
  const passphraseFile = ['--passphrase-file <file>', 'passphrase of the archive; - for standard input'] as const
  addKeysOptions(store.command('migrate').description('update the schema'))
    .addHelpText('after', examples('keyspring store migrate --config keyspring.yaml'))
    .action((options: KeysOptions) => migrate(options, world))
  store
    .command('copy')
    .description('copy a store into another and compare; name each as sqlite:DIRECTORY, config:FILE or url-file:FILE')
    .requiredOption('--from <store>', 'the store to copy')
    .requiredOption('--to <store>', 'the store to copy into; created if it does not exist')
    .addHelpText('after', examples('keyspring store copy --from sqlite:./data --to config:postgres.yaml'))
    .action(({ from, to }: { readonly from: string; readonly to: string }) => copy(from, to, world))
  addKeysOptions(store.command('backup').description('write an encrypted archive, while servers run'))
    .requiredOption('--out <file>', 'the archive, which must not exist')
    .requiredOption(...passphraseFile)
    .addHelpText('after', examples('keyspring store backup --out keys.backup --passphrase-file passphrase.txt'))
    .action((options: BackupOptions) => backup(options, world))
  addKeysOptions(store.command('restore').description('restore an archive as the SQLite store of the data directory'))
    .requiredOption('--from <file>', 'the archive')
    .requiredOption(...passphraseFile)
    .option('--drill', 'restore nothing, only prove that its keys open')
    .option('--sample <contents>', 'how many contents to open', '1000')
    .addHelpText(
      'after',
      examples(
        'keyspring store restore --from keys.backup --passphrase-file passphrase.txt --drill',
        'keyspring store restore --from keys.backup --passphrase-file passphrase.txt --data ./data',
      ),
    )
    .action((options: RestoreOptions) => restore(options, world))
}

async function migrate(options: KeysOptions, world: World): Promise<void> {
  const { stdout } = world
  const config = readKeysConfig(options, world)
  const { url } = config.postgres
  if (url === undefined) {
    // Opening a SQLite store updates its schema.
    await (await openStore(config, { create: false })).store.close()
    stdout.line('the schema is up to date')
    return
  }
  const { from, to, applied } = await migratePostgresStore({ url })
  for (const name of applied) stdout.line(`applied: ${name}`)
  stdout.line(from === to ? `the schema is up to date (${to})` : `the schema is now ${to}, it was ${from}`)
}

/** Copies one store into another, and compares what was copied. */
async function copy(from: string, to: string, world: World): Promise<void> {
  const source = await openNamed(from, false, world)
  try {
    const target = await openNamed(to, true, world)
    try {
      const progress = new ProgressLine(world)
      const report = await copyStore({
        from: source,
        to: target,
        onProgress: ({ contents, written }) =>
          progress.report(contents, `${contents} contents, ${written} of them written`),
      })
      progress.close()
      world.stdout.line(describeCopy(report))
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

/** Opens a store by its name on the command line: `sqlite:DIRECTORY`, `config:FILE`, or `url-file:FILE` with a postgres URL. */
async function openNamed(name: string, create: boolean, world: World): Promise<Store> {
  const [, kind, place = ''] = /^(sqlite|config|url-file):(.+)$/.exec(name) ?? []
  if (kind === 'sqlite') return openSqliteStore({ file: join(resolve(place), 'keyspring.db'), create })
  if (kind === 'config') return (await openStore(readKeysConfig({ config: place }, world), { create })).store
  if (kind === 'url-file') {
    return openPostgresStore({ url: new Secret(readFileSync(place, 'utf8').trim()), migrate: create })
  }
  throw wrongUsage(
    'a store: expected sqlite:DIRECTORY, config:FILE, or url-file:FILE with a postgres:// URL in the file (ps shows arguments and the passwords in them)',
  )
}

function describeCopy({ contents, dataKeys, periods, clients, written }: CopyReport): string {
  return (
    `verified: ${contents} contents, ${dataKeys} data keys, ${periods} periods of the ledger, ${clients} clients; ` +
    `${written} contents were written now`
  )
}
