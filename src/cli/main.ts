import { Command, CommanderError, Option } from 'commander'
import { packageVersion } from '../server/version.ts'
import { addAuditCommand } from './commands/audit/command.ts'
import { addClientCommand } from './commands/client/command.ts'
import { addCompletionsCommand } from './commands/completions/command.ts'
import { addContentsCommand } from './commands/contents/command.ts'
import { addInspectCommand } from './commands/inspect/command.ts'
import { addKeysCommand } from './commands/keys/command.ts'
import { addKidsCommand } from './commands/kids/command.ts'
import { addLintCommand } from './commands/lint/command.ts'
import { addOverrideCommand } from './commands/override/command.ts'
import { addRequestCommand } from './commands/request/command.ts'
import { addServerCommand } from './commands/server/command.ts'
import { addVerifyCommand } from './commands/verify/command.ts'
import { ENCRYPTOR_NAMES } from './shared/encryptor-names.ts'
import { addExamples } from './shared/examples.ts'
import { EXIT, exitCodeOf } from './shared/exit-codes.ts'
import { describeError } from './shared/report.ts'

const program = new Command('keyspring')
  .description('The open SPEKE and CPIX key provider: content keys and DRM signalling for encryptors.')
  .version(packageVersion(), '-V, --version')
  .showHelpAfterError('hint: keyspring --help')
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'keyspring: ')) })
  .exitOverride()
  .addHelpText(
    'after',
    `
Examples:
  keyspring serve                                            try it on http://127.0.0.1:8080
  keyspring config init --encryptor mediapackage-v2 --out keyspring.yaml
  keyspring serve --config keyspring.yaml
  keyspring config check --config keyspring.yaml
  keyspring request http://127.0.0.1:8080/copyProtection     ask it, or any other key provider, for keys
  keyspring verify http://127.0.0.1:8080/copyProtection      check it, or any other key provider

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 store or root key unusable, 4 refused by what is stored
or by the key provider that was asked, 5 its answer cannot be used, 6, 7, 8 errors, warnings, notes found.`,
  )

program
  .command('serve')
  .description('answer SPEKE requests until stopped')
  .option('--host <host>', 'address to listen on (default 127.0.0.1)')
  .option('--port <port>', 'port to listen on, 0 for any free one (default 8080)')
  .option('--data <dir>', 'directory of the store and the root key (default ./data)')
  .option('--config <file>', 'YAML file of settings')
  .option('--public-url <url>', 'where players reach this server, for key URLs in answers')
  .option('--allow-anonymous', 'serve whoever asks, on any address: every caller gets keys')
  .option('--log-requests', 'log a line for each request')
  .option('--migrate', 'bring the schema of PostgreSQL up to date first')
  .action(async (options) => (await import('./commands/server/serve.ts')).serve(options))

const config = program.command('config').description('settings')
config
  .command('check')
  .description('report every problem of the configuration')
  .option('--config <file>', 'YAML file of settings')
  .option('--host <host>', 'as for serve')
  .option('--public-url <url>', 'as for serve')
  .option('--allow-anonymous', 'as for serve')
  .action(async (options) => (await import('./commands/config/check.ts')).configCheck(options))
config
  .command('init')
  .description('write a first configuration')
  .addOption(new Option('--encryptor <name>', 'what will ask for keys').choices(ENCRYPTOR_NAMES).makeOptionMandatory())
  .option('--out <file>', 'file to write, which must not exist (default: standard output)')
  .action(async (options) => (await import('./commands/config/init.ts')).configInit(options))

addOverrideCommand(program)

const token = program.command('token').description('what players prove with that they may have keys')
const ofPlayers = (command: Command): Command =>
  command
    .option('--tenant <tenant>', 'its tenant', 'default')
    .option('--ttl <time>', 'how long it is valid: 30s, 10m, 6h, 1d', '1h')
    .option('--key-id <id>', 'which key to sign with')
    .option('--config <file>', 'as for serve')
ofPlayers(token.command('mint').description('print a player token (JWT)'))
  .requiredOption('--content-id <pattern...>', 'the contents it opens; * stands for any text')
  .option('--kid <kid...>', 'these keys of them alone')
  .option('--subject <name>', 'whom to count its requests for')
  .option('--key-file <file>', 'a private key in PEM, or a key set (default: playback.jwt.secret)')
  .action(async (options) => (await import('./commands/token/token.ts')).mint(options))
ofPlayers(token.command('sign-url').description('print the signed URL of a key or of licences'))
  .requiredOption('--content-id <id>', 'the content')
  .option('--kid <kid>', 'the kid of the key')
  .option('--license', 'of its ClearKey licences instead')
  .action(async (options) => (await import('./commands/token/token.ts')).signedUrl(options))

addRequestCommand(program)
addVerifyCommand(program)
addLintCommand(program)
addInspectCommand(program)
addClientCommand(program)
addServerCommand(program)
addKeysCommand(program)
addContentsCommand(program)
addKidsCommand(program)
addAuditCommand(program)

const onKeys = (command: Command): Command =>
  command.option('--data <dir>', 'as for serve').option('--config <file>', 'as for serve')
const passphraseFile = ['--passphrase-file <file>', 'the passphrase of the archive; - for standard input'] as const

const store = program.command('store').description('where keys are stored')
onKeys(store.command('migrate').description('bring the schema up to date')).action(async (options) =>
  (await import('./commands/store/store.ts')).migrate(options),
)
store
  .command('copy')
  .description('copy a store into another, and compare; each is sqlite:DIRECTORY, config:FILE or url-file:FILE')
  .requiredOption('--from <store>', 'the store to copy')
  .requiredOption('--to <store>', 'the store to copy into; one that is not there is made')
  .action(async ({ from, to }) => (await import('./commands/store/store.ts')).copy(from, to))
onKeys(store.command('backup').description('write an encrypted archive while servers go on'))
  .requiredOption('--out <file>', 'the archive, which must not exist')
  .requiredOption(...passphraseFile)
  .action(async (options) => (await import('./commands/store/store.ts')).backup(options))
onKeys(store.command('restore').description('restore an archive as the SQLite store of the data directory'))
  .requiredOption('--from <file>', 'the archive')
  .requiredOption(...passphraseFile)
  .option('--drill', 'only prove that its keys open')
  .option('--sample <contents>', 'how many contents to open', '1000')
  .action(async (options) => (await import('./commands/store/store.ts')).restore(options))

const keyring = program.command('keyring').description('root keys and data keys')
onKeys(keyring.command('status').description('print data keys, how much is sealed with each and what wraps them'))
  .option('--json', 'as JSON')
  .action(async (options) => (await import('./commands/keyring/keyring.ts')).status(options))
onKeys(keyring.command('rotate').description('add a generation of the local root key'))
  .option('--data-keys', 'of the data keys of every tenant instead')
  .action(async (options) => (await import('./commands/keyring/keyring.ts')).rotate(options))
onKeys(keyring.command('rewrap').description('move everything to the newest generations, while servers go on'))
  .option('--remove-old', 'then remove those that nothing needs')
  .action(async (options) => (await import('./commands/keyring/keyring.ts')).rewrap(options))

addCompletionsCommand(program)
addExamples(program)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed it; its own code is 1 for every wrong usage.
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage
  } else {
    process.stderr.write(`${describeError(error)}\n`)
    process.exitCode = exitCodeOf(error)
  }
}
