import { Command, CommanderError } from 'commander'
import { packageVersion } from '../server/version.ts'
import { describeError, EXIT, exitCodeOf } from './shared/errors.ts'
import { examples } from './shared/options.ts'
import type { World } from './shared/world.ts'

/** Adds the arguments, options, sub-commands and action of a command. */
type Define = (command: Command, world: World) => void

/** The commands, in the order of the help. Only the file of the command that runs is loaded. */
const COMMANDS: Readonly<Record<string, readonly [description: string, load: () => Promise<Define>]>> = {
  serve: ['answer SPEKE requests until stopped', async () => (await import('./commands/serve.ts')).defineServe],
  config: ['write and check configurations', async () => (await import('./commands/config/config.ts')).defineConfig],
  server: ['check and reload a server', async () => (await import('./commands/server.ts')).defineServer],
  request: [
    'request keys from a key provider, as an encryptor does',
    async () => (await import('./commands/request/request.ts')).defineRequest,
  ],
  verify: [
    'check a key provider: send every request that encryptors send, valid and invalid, and check the answers',
    async () => (await import('./commands/verify/verify.ts')).defineVerify,
  ],
  lint: [
    'check a CPIX request or answer, or an answer together with its request',
    async () => (await import('./commands/lint.ts')).defineLint,
  ],
  inspect: [
    'explain keys and signalling; writes nothing and sends nothing',
    async () => (await import('./commands/inspect.ts')).defineInspect,
  ],
  client: [
    'clients in the store, and their credentials',
    async () => (await import('./commands/client/client.ts')).defineClient,
  ],
  contents: [
    'list, hold, release and destroy contents',
    async () => (await import('./commands/contents/contents.ts')).defineContents,
  ],
  keys: [
    'list, import, export and delete content keys',
    async () => (await import('./commands/keys/keys.ts')).defineKeys,
  ],
  kids: ['look up kids', async () => (await import('./commands/kids.ts')).defineKids],
  override: [
    'set keys and kids by hand instead of deriving them',
    async () => (await import('./commands/override/override.ts')).defineOverride,
  ],
  token: ['mint tokens and sign URLs for players', async () => (await import('./commands/token.ts')).defineToken],
  audit: ['verify and list the audit log', async () => (await import('./commands/audit/audit.ts')).defineAudit],
  store: [
    'migrate, copy, back up and restore the store',
    async () => (await import('./commands/store/store.ts')).defineStore,
  ],
  keyring: ['rotate root keys and data keys', async () => (await import('./commands/keyring.ts')).defineKeyring],
  completions: [
    'print a script that completes commands in a shell',
    async () => (await import('./commands/completions/completions.ts')).defineCompletions,
  ],
  man: ['print the manual page', async () => (await import('./commands/completions/completions.ts')).defineMan],
}

/** Commands that describe all the others. */
const DESCRIBE_ALL: readonly unknown[] = ['completions', 'man']

/** Runs a command line, without the name of the program, to its end. The exit code is in `world.exitCode`. Never throws. */
export async function main(argv: readonly string[], world: World): Promise<void> {
  let reported: unknown
  const fail = (error: unknown): void => {
    // The command may have thrown the failure of its output.
    if (error !== reported) world.stderr.write(`${describeError(error)}\n`)
    reported = error
    world.exitCode = exitCodeOf(error)
  }
  try {
    const program = await programFor(argv[0] === 'help' ? argv[1] : argv[0], world)
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    // Commander has printed its message. Its own exit code is 1 for every wrong usage.
    if (error instanceof CommanderError) world.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage
    else fail(error)
  }
  await world.stdout.flushed().catch(fail)
  await world.stderr.flushed().catch(() => undefined)
}

async function programFor(name: string | undefined, world: World): Promise<Command> {
  const program = new Command('keyspring')
    .description('The open SPEKE and CPIX key provider: content keys and DRM signalling for encryptors.')
    .version(packageVersion(), '-V, --version')
    .showHelpAfterError('hint: keyspring --help')
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'keyspring: ')),
      getOutHelpWidth: () => (world.stdout.isTerminal ? world.stdout.columns : 80),
      getErrHelpWidth: () => (world.stderr.isTerminal ? world.stderr.columns : 80),
    })
    .exitOverride()
    .addHelpText('after', `${HELP}\n\n${EXIT_CODES}`)
  for (const [each, [description, load]] of Object.entries(COMMANDS)) {
    const command = program.command(each).description(description)
    if (each === name || DESCRIBE_ALL.includes(name)) (await load())(command, world)
  }
  return program
}

const HELP = examples(
  'keyspring serve                                            start on http://127.0.0.1:8080 to try it',
  'keyspring config init --encryptor mediapackage-v2 --out keyspring.yaml',
  'keyspring config check --config keyspring.yaml',
  'keyspring serve --config keyspring.yaml',
  'keyspring request http://127.0.0.1:8080/copyProtection     request keys from it, or from any key provider',
  'keyspring verify http://127.0.0.1:8080/copyProtection      check it, or any key provider',
)

const EXIT_CODES = `Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 store or root key unusable, 4 rejected because of
what is stored or by the key provider that was asked, 5 unusable answer of that key provider, 6, 7, 8 errors, warnings,
notes found.`
