import { type Command, Option } from 'commander'
import { SCOPES } from '../../../auth/clients/client.ts'

/** Adds `keyspring client …`. */
export function addClientCommand(program: Command): void {
  const client = program.command('client').description('who may call: clients of the store and their credentials')
  const inStore = (command: Command): Command =>
    command.option('--data <dir>', 'as for serve').option('--config <file>', 'as for serve')
  const ofCredential = (command: Command): Command =>
    command
      .option('--id <id>', 'user name, subject, fingerprint or name of a certificate, ARN, name of a signer')
      .option('--password-file <file>', 'a password that is there already; - for standard input')
      .option('--certificate-file <file>', 'the client certificate in PEM, instead of its fingerprint')
      .option('--public-key-file <file>', 'the RSA public key of a signer in PEM; else an AES key is made')
      .option('--not-after <time>', 'until when the credential is taken')
      .option('--json', 'as JSON')
  const methods = ['token', 'basic', 'digest', 'sigv4', 'jwt', 'certificate', 'gateway', 'signer']
  const method = () => new Option('--method <method>', 'how it proves who it is').choices(methods)

  ofCredential(
    inStore(client.command('add').description('add a client, or a credential to one; shows its secret once')),
  )
    .requiredOption('--name <name>', 'the client')
    .addOption(method().default('token'))
    .option('--tenant <tenant>', 'whose contents it may name (default: default)')
    .option('--scope <scope...>', `${SCOPES.join(', ')} (default: keys:issue)`)
    .option('--content-id <pattern...>', 'contents it may have, * for any text (default: all of its tenant)')
    .option('--recipient <fingerprint...>', 'certificates that keys may be encrypted for (default: any)')
    .option('--signaling-profile <name>', 'what its answers look like')
    .option('--print', 'print it as the configuration has it, and store nothing')
    .action(async (options) => (await import('./client.ts')).add(options))
  inStore(client.command('list').description('print clients and credentials, never secrets'))
    .option('--json', 'as JSON')
    .action(async (options) => (await import('./client.ts')).list(options))
  ofCredential(
    inStore(client.command('rotate').description('a new credential beside the old, which ends after an overlap')),
  )
    .requiredOption('--name <name>', 'the client')
    .addOption(method().makeOptionMandatory())
    .option('--overlap <hours>', 'how long the old one is still taken', '24')
    .action(async (options) => (await import('./client.ts')).rotate(options))
  inStore(client.command('remove').description('remove a client, or one of its credentials'))
    .requiredOption('--name <name>', 'the client')
    .addOption(method())
    .option('--id <id>', 'of the credential')
    .action(async (options) => (await import('./client.ts')).remove(options))
}
