import { type Command, Option } from 'commander'
import { SCOPES } from '../../../auth/clients/client.ts'
import type { CredentialMethod } from '../../../auth/credentials/credential.ts'
import { CREDENTIAL_METHODS } from '../../../auth/methods/methods.ts'
import { wrongUsage } from '../../../core/errors.ts'
import { openStore, type Store } from '../../../server/assemble/open-store.ts'
import { examples } from '../../shared/options.ts'
import { addKeysOptions, type KeysOptions, readKeysConfig } from '../../shared/stored.ts'
import { printResult, type World } from '../../shared/world.ts'
import { type AddOptions, add, type RotateOptions, rotate } from './add.ts'
import { clientNamed, describeCredential, RELOAD_HINT } from './credentials.ts'

/** Defines `keyspring client add|list|rotate|remove`. */
export function defineClient(client: Command, world: World): void {
  const ofCredential = (command: Command): Command =>
    addKeysOptions(command)
      .option('--id <id>', 'user name, subject, fingerprint or name of a certificate, ARN, or name of a signer')
      .option('--password-file <file>', 'file with an existing password; - for standard input')
      .option('--certificate-file <file>', 'client certificate in PEM, instead of its fingerprint')
      .option('--issuer <fingerprint>', 'SHA-256 fingerprint of the certificate that issues a certificate name')
      .option('--public-key-file <file>', 'RSA public key of a signer in PEM (default: a new AES key)')
      .option('--not-after <time>', 'when the credential expires, such as 2027-01-31T00:00:00Z')
      .option('--json', 'print JSON')
  const method = () => new Option('--method <method>', 'how the client authenticates').choices(CREDENTIAL_METHODS)

  ofCredential(client.command('add').description('add a client, or a credential to a client; shows its secret once'))
    .requiredOption('--name <name>', 'the client')
    .addOption(method().default('token'))
    .option('--tenant <tenant>', 'tenant of its contents (default: default)')
    .option('--scope <scope...>', `${SCOPES.join(', ')} (default: keys:issue)`)
    .option('--content-id <pattern...>', 'contents it has access to, * for any text (default: all of its tenant)')
    .option('--recipient <fingerprint...>', 'certificates that keys may be encrypted for (default: any)')
    .option('--signaling-profile <name>', 'signalling profile of its answers')
    .option('--print', 'print it for the configuration file, and store nothing')
    .addHelpText(
      'after',
      examples(
        'keyspring client add --name packager --config keyspring.yaml',
        "keyspring client add --name packager --method digest --id encoder --content-id 'film-*'",
        'keyspring client add --name license-server --scope keys:resolve --config keyspring.yaml',
      ),
    )
    .action((options: AddOptions) => add(options, world))
  addKeysOptions(client.command('list').description('print clients and credentials, never secrets'))
    .option('--json', 'print JSON')
    .addHelpText('after', examples('keyspring client list --config keyspring.yaml'))
    .action((options: ListOptions) => list(options, world))
  ofCredential(client.command('rotate').description('add a new credential; the old one stays valid during an overlap'))
    .requiredOption('--name <name>', 'the client')
    .addOption(method().makeOptionMandatory())
    .option('--overlap <hours>', 'hours for which the old credential stays valid', '24')
    .addHelpText('after', examples('keyspring client rotate --name packager --method token'))
    .action((options: RotateOptions) => rotate(options, world))
  addKeysOptions(client.command('remove').description('remove a client, or one of its credentials'))
    .requiredOption('--name <name>', 'the client')
    .addOption(method())
    .option('--id <id>', 'ID of the credential')
    .addHelpText(
      'after',
      examples(
        'keyspring client remove --name packager',
        'keyspring client remove --name packager --method basic --id encoder',
      ),
    )
    .action((options: RemoveOptions) => remove(options, world))
}

type ListOptions = KeysOptions & { readonly json?: boolean }

interface RemoveOptions extends KeysOptions {
  readonly name: string
  readonly method?: CredentialMethod
  readonly id?: string
}

async function remove(options: RemoveOptions, world: World): Promise<void> {
  const { name, method, id } = options
  if ((method === undefined) !== (id === undefined)) throw wrongUsage('give both --method and --id, or neither')
  await withStore(options, world, async (store) => {
    const { client, credentials } = clientNamed(await store.listClients(), name)
    if (method === undefined) {
      await store.removeClient(name)
    } else {
      const kept = credentials.filter((one) => one.method !== method || one.id !== id)
      if (kept.length === credentials.length) throw wrongUsage(`the client has no ${method} credential of this ID`)
      await store.putClient({ client, credentials: kept })
    }
    world.stdout.line('removed')
    const left = (await store.listClients()).filter(({ credentials: kept }) => kept.length > 0).length
    if (left === 0) world.stderr.line(NO_CLIENTS)
    world.stderr.line(RELOAD_HINT)
  })
}

/** A server without clients may be open to callers without a credential. */
const NO_CLIENTS =
  'warning: the store has no client left. Add one before you reload or restart the server. Without a client in the store or in the configuration file, the server rejects callers, or accepts them without a credential if allowAnonymous is set or only this machine can reach it.'

async function list(options: ListOptions, world: World): Promise<void> {
  const clients = await withStore(options, world, async (store) =>
    (await store.listClients()).map(({ client, credentials }) => ({
      ...client,
      credentials: credentials.map(describeCredential),
    })),
  )
  printResult(world, options.json, { clients }, () =>
    clients.flatMap(({ name, tenant, scopes, contentIds = ['*'], credentials }) => [
      `${name} tenant:${tenant} ${scopes.join(' ')} contents:${contentIds.join(',')}`,
      ...credentials.map(
        ({ method, id, notAfter }) => `  ${method} ${id}${notAfter === undefined ? '' : ` until ${notAfter}`}`,
      ),
    ]),
  )
}

async function withStore<T>(options: KeysOptions, world: World, use: (store: Store) => Promise<T>): Promise<T> {
  const { store } = await openStore(readKeysConfig(options, world), { create: false })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}
