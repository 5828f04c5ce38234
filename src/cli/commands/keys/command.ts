import { type Command, Option } from 'commander'
import { onStore } from '../../shared/content-options.ts'

/** Adds `keyspring keys …`. */
export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('content keys: what there is, bringing keys, taking keys out')
  const classes = () => new Option('--class <class>', 'class of the content keys').choices(['drm', 'clear'])

  onStore(keys.command('list').description('print the kids of a content, where their keys come from, never the keys'))
    .requiredOption('--content-id <id>', 'the content')
    .action(async (options) => (await import('./keys.ts')).list(options))
  onStore(keys.command('show').description('print what is known of a key, with its check value, never the key'))
    .requiredOption('--content-id <id>', 'the content')
    .requiredOption('--kid <kid>', 'the kid of the key')
    .addOption(classes())
    .action(async (options) => (await import('./keys.ts')).show(options))
  onStore(keys.command('import').description('store keys that you bring; prints their check values'))
    .argument('<file>', 'the keys; - for standard input')
    .addOption(
      new Option('--format <format>', 'how they are written down (default: by the end of the name)').choices([
        'cpix',
        'csv',
        'json',
        'reference-server',
        'playready-seed',
      ]),
    )
    .option('--content-id <id>', 'the content of keys that name none')
    .addOption(classes().default('drm'))
    .option('--import-key <file>', 'certificate and private key (PEM) that a CPIX document was encrypted for')
    .option('--dry-run', 'only say what would become of each')
    .option('--force', 'although keys may have been given out already')
    .option('--reason <text>', 'why it is forced')
    .addHelpText('after', IMPORT_HELP)
    .action(async (file, options) => (await import('./import.ts')).importFile(file, options))
  onStore(keys.command('export').description('write the keys of a content to a file; recorded in the audit log'))
    .requiredOption('--content-id <id>', 'the content')
    .requiredOption('--out <file>', 'the file, which must not exist; - for standard output')
    .option('--kid <kid...>', 'these keys alone')
    .addOption(classes())
    .addOption(new Option('--format <format>', 'how to write them').choices(['cpix', 'json', 'csv']).default('cpix'))
    .option('--recipient <file...>', 'certificates (PEM) that the keys are encrypted for, in CPIX')
    .option('--clear', 'write them so that whoever reads the file has them')
    .addHelpText('after', EXPORT_HELP)
    .action(async (options) => (await import('./export.ts')).exportFile(options))
  onStore(
    keys
      .command('delete')
      .description('remove a key that was imported; a content loses all its keys by contents delete'),
  )
    .requiredOption('--content-id <id>', 'the content')
    .requiredOption('--kid <kid>', 'the kid of the key')
    .addOption(classes().default('drm'))
    .option('--force', 'although the key may have been given out already')
    .option('--reason <text>', 'why')
    .action(async (options) => (await import('./keys.ts')).remove(options))
}

const IMPORT_HELP = `
All or nothing: one line that cannot be read, or one key that would change what encryptors may hold, and nothing is stored.
The same keys again change nothing.

Examples:
  keyspring keys import keys.csv                             a head of contentId,kid,key[,iv][,class]
  keyspring keys import film.xml --import-key import.pem     CPIX, encrypted for this server
  keyspring keys import secrets.json --format reference-server
  keyspring keys import keys.csv --dry-run --json | jq '.keys[] | select(.status != "stored")'`

const EXPORT_HELP = `
Examples:
  keyspring keys export --content-id film --recipient partner.pem --out film.cpix.xml
  keyspring keys export --content-id film --format json --clear --out film.json`
