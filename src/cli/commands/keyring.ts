import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { removeLocalGenerations, rotateLocalRootKey } from '../../adapters/root-keys/local.ts'
import type { ClientStore } from '../../auth/clients/client.ts'
import { resealClients } from '../../auth/clients/credential-secrets.ts'
import { KeyProviderError } from '../../core/errors.ts'
import { DataKeyRing } from '../../keys/crypto/data-keys.ts'
import {
  type DataKeyStatus,
  keyringStatus,
  type RotationOptions,
  removeOldDataKeys,
  resealAll,
  rewrapDataKeys,
  rotateDataKeys,
} from '../../keys/maintenance/rotate-data-keys.ts'
import { resealAuditHeads } from '../../operations/audit/heads.ts'
import type { AuditHeadStore } from '../../operations/ports/store.ts'
import { rootKeyFileOf } from '../../server/assemble/open-store.ts'
import { examples } from '../shared/options.ts'
import { addKeysOptions, type KeysOptions, readKeysConfig, withOpenedKeys } from '../shared/stored.ts'
import { ProgressLine, printResult, type World } from '../shared/world.ts'

/** Defines `keyspring keyring status|rotate|rewrap`. */
export function defineKeyring(keyring: Command, world: World): void {
  addKeysOptions(
    keyring.command('status').description('print the data keys, how many values each seals, and what wraps them'),
  )
    .option('--json', 'print JSON')
    .addHelpText('after', examples('keyspring keyring status --config keyspring.yaml'))
    .action((options: StatusOptions) => status(options, world))
  addKeysOptions(keyring.command('rotate').description('add a generation of the local root key'))
    .option('--data-keys', 'add a data key for every tenant instead')
    .addHelpText('after', examples('keyspring keyring rotate', 'keyspring keyring rotate --data-keys'))
    .action((options: RotateOptions) => rotate(options, world))
  addKeysOptions(
    keyring.command('rewrap').description('seal everything with the newest generations, while servers run'),
  )
    .option('--remove-old', 'then remove the generations that nothing needs')
    .addHelpText('after', examples('keyspring keyring rewrap --remove-old'))
    .action((options: RewrapOptions) => rewrap(options, world))
}

type StatusOptions = KeysOptions & { readonly json?: boolean }
type RotateOptions = KeysOptions & { readonly dataKeys?: boolean }
type RewrapOptions = KeysOptions & { readonly removeOld?: boolean }

async function status(options: StatusOptions, world: World): Promise<void> {
  const dataKeys = await withKeyring(options, world, (keyring) => keyringStatus(keyring))
  printResult(world, options.json, { dataKeys }, () => [
    ...dataKeys.map(describe),
    ...(dataKeys.length === 0 ? ['no data keys yet'] : []),
    ...(dataKeys.some(({ isNewest, isWrappedByNewest }) => !isNewest || !isWrappedByNewest)
      ? ['hint: `keyspring keyring rewrap --remove-old` moves everything to the newest']
      : []),
  ])
}

async function rotate(options: RotateOptions, world: World): Promise<void> {
  const { stdout } = world
  if (options.dataKeys === true) {
    const made = await withKeyring(options, world, rotateDataKeys)
    stdout.line(
      `new data keys: ${made}; servers seal with them within a minute, \`keyspring keyring rewrap\` moves the rest`,
    )
    return
  }
  const config = readKeysConfig(options, world)
  if (config.rootKey.kind !== 'local') {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `rootKey.kind: ${config.rootKey.kind} rotates its own keys; run \`keyspring keyring rewrap\` afterwards`,
    )
  }
  const file = rootKeyFileOf(config)
  const id = await rotateLocalRootKey({ file, passphrase: config.rootKey.passphrase })
  stdout.line(
    `new generation ${id} in ${file}: back it up, copy it to every node, then run \`keyspring keyring rewrap\``,
  )
}

async function rewrap(options: RewrapOptions, world: World): Promise<void> {
  const { stdout } = world
  const config = readKeysConfig(options, world)
  await withKeyring(options, world, async (keyring) => {
    stdout.line(`data keys wrapped anew: ${await rewrapDataKeys(keyring)}`)
    const progress = new ProgressLine(world)
    const { contents, resealed } = await resealAll({
      ...keyring,
      onProgress: (done) =>
        progress.report(done.contents, `${done.contents} contents, ${done.resealed} values sealed anew`),
    })
    progress.close()
    stdout.line(`values sealed anew: ${resealed}, of ${contents} contents`)
    const dataKeys = new DataKeyRing(keyring)
    stdout.line(`credentials of clients sealed anew: ${await resealClients({ ...keyring, dataKeys })}`)
    stdout.line(`heads of audit logs sealed anew: ${await resealAuditHeads({ ...keyring, dataKeys })}`)
    if (options.removeOld === true) {
      stdout.line(`old data keys removed: ${await removeOldDataKeys(keyring)}`)
      if (config.rootKey.kind === 'local') {
        const needed = new Set((await keyringStatus(keyring)).map(({ wrappedBy }) => wrappedBy))
        const local = { file: rootKeyFileOf(config), passphrase: config.rootKey.passphrase }
        const removed = await removeLocalGenerations(local, (id) => needed.has(`local ${id}`))
        stdout.line(`old root key generations removed: ${removed}`)
      }
    }
    const left = (await keyringStatus(keyring)).filter(({ isNewest, rows }) => !isNewest && rows > 0)
    for (const one of left)
      stdout.line(`left: ${describe(one)}; run this command again once no server seals with this key`)
  })
}

type Keyring = RotationOptions & { readonly store: ClientStore & AuditHeadStore }

function withKeyring<T>(options: KeysOptions, world: World, use: (keyring: Keyring) => Promise<T>): Promise<T> {
  return withOpenedKeys(readKeysConfig(options, world), ({ store, rootKey, rootKeyName }) =>
    use({ store, rootKey, rootKeyName, randomBytes }),
  )
}

function describe({ tenant, generation, isNewest, rows, wrappedBy, isWrappedByNewest }: DataKeyStatus): string {
  const age = isNewest ? 'newest' : 'old'
  const wrapping = `wrapped by ${wrappedBy}${isWrappedByNewest ? '' : ' (old)'}`
  return `tenant ${JSON.stringify(tenant)}, data key ${generation} (${age}): ${rows} sealed values, ${wrapping}`
}
