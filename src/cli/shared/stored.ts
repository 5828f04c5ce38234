import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { KeyProviderError, wrongUsage } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { type OpenKeys, openKeys } from '../../keys/crypto/data-keys.ts'
import type { Operator } from '../../operations/management.ts'
import { type OpenedManagement, openManagement } from '../../server/assemble/management.ts'
import { openStore, type Store } from '../../server/assemble/open-store.ts'
import { type Config, readConfig } from '../../server/config/config.ts'
import { readInput, type World } from './world.ts'

/** The options of every command that works on the store of a configuration. */
export interface KeysOptions {
  readonly config?: string
  readonly data?: string
}

/** The options of every command that works on the contents of a tenant. */
export interface StoredOptions extends KeysOptions {
  readonly tenant: string
  readonly json?: boolean
}

/** Adds the options of `KeysOptions`. */
export function addKeysOptions(command: Command): Command {
  return command
    .option('--data <dir>', 'directory of the store and the root key (default: ./data)')
    .option('--config <file>', 'configuration of the server (YAML)')
}

/** Adds the options of `StoredOptions`. */
export function addStoredOptions(command: Command): Command {
  return addKeysOptions(command.option('--tenant <tenant>', 'tenant of the contents', 'default')).option(
    '--json',
    'print JSON',
  )
}

/** The configuration for a command that works on stored keys. Throws ERR_CONFIG_INVALID, also for a store in memory. */
export function readKeysConfig({ config: file, data }: KeysOptions, { env }: World): Config {
  const config = readConfig({ file, environment: env, flags: { data }, serves: false })
  if (config.store === 'memory') {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      'store: a store in memory exists only within its server: this command needs another store',
    )
  }
  return config
}

/** The text of a file that holds a secret, without the final newline. A secret is never an argument: `ps` shows arguments. */
export function readSecretFile(option: string, file: string, world: World): Secret<string> {
  const text = readInput(world, file)
    .toString('utf8')
    .replace(/\r?\n$/, '')
  if (text.length < 12) throw wrongUsage(`${option}: expected at least 12 characters`)
  return new Secret(text)
}

/** The store of a configuration and what opens its keys. */
interface OpenedKeys extends Pick<OpenKeys, 'rootKey' | 'dataKeys'> {
  readonly store: Store
  readonly rootKeyName: string
}

/** Opens the existing store and root key of a configuration for `use`, and closes them. Creates neither. */
export async function withOpenedKeys<T>(config: Config, use: (opened: OpenedKeys) => Promise<T>): Promise<T> {
  const { store, openRootKey, rootKeyName } = await openStore(config, { create: false })
  try {
    const existing = () => openRootKey(false)
    const { rootKey, dataKeys } = await openKeys({ store, openRootKey: existing, rootKeyName, randomBytes })
    try {
      return await use({ store, rootKey, dataKeys, rootKeyName })
    } finally {
      await rootKey.close()
    }
  } finally {
    await store.close()
  }
}

interface OpenStoredOptions extends KeysOptions {
  readonly tenant?: string
  /** Create the store and the root key if there are none. */
  readonly create?: boolean
  /** Work on an empty store in memory if there is none, and create nothing. */
  readonly emptyIfMissing?: boolean
}

/** Opens the stored keys of a configuration for `use`, on behalf of the user of this system, and closes them. */
export async function withStored<T>(
  options: OpenStoredOptions,
  world: World,
  use: (stored: OpenedManagement, operator: Operator) => Promise<T>,
): Promise<T> {
  const given = readKeysConfig(options, world)
  const isMissing = given.store === 'sqlite' && !existsSync(join(resolve(given.data), 'keyspring.db'))
  const isPretended = options.emptyIfMissing === true && isMissing
  const config: Config = isPretended ? { ...given, store: 'memory', audit: { ...given.audit, lasts: false } } : given
  const stored = await openManagement(config, { create: isPretended || (options.create ?? false) })
  for (const notice of isPretended ? [] : stored.notices) world.stderr.line(`keyspring: ${notice}`)
  try {
    return await use(stored, {
      tenant: options.tenant ?? 'default',
      actor: { method: 'cli', id: userInfo().username },
      requestId: randomUUID(),
    })
  } finally {
    await stored.close()
  }
}

/** How often keys were requested, in words. */
export function requestedTimes(requests: number): string {
  return requests === 1 ? 'requested once' : `requested ${requests} times`
}
