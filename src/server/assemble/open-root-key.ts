import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { RootKey } from '../../keys/ports/root-key.ts'
import type { Config } from '../config/config.ts'

type RootKeySettings = Pick<Config, 'data' | 'rootKey'>
type Opened = { readonly rootKey: RootKey; readonly created: boolean }

/** The file of a local root key. */
export function rootKeyFileOf({ data, rootKey }: RootKeySettings): string {
  return resolve(rootKey.file ?? join(data, 'root.key'))
}

/** What messages call the root key. */
export function rootKeyNameOf(settings: RootKeySettings): string {
  const { kind, awsKms, vault } = settings.rootKey
  if (kind === 'aws-kms') return `aws-kms ${awsKms.keyId}`
  return kind === 'vault' ? `vault ${vault.mount}/${vault.key}` : rootKeyFileOf(settings)
}

/** The root key of a configuration, which opens also what the kinds before it wrapped. `create` lets a local one be made. */
export async function openRootKeyOf(settings: RootKeySettings, create: boolean): Promise<Opened> {
  const { kind, previous } = settings.rootKey
  const { rootKey, created } = await KINDS[kind](settings, create)
  if (previous.length === 0) return { rootKey, created }
  const { rootKeyChain } = await import('../../adapters/root-keys/wrapping.ts')
  const before = await Promise.all(previous.map(async (one) => (await KINDS[one](settings, false)).rootKey))
  return { rootKey: rootKeyChain(rootKey, before), created }
}

/** The adapters, each loaded when it is used. */
const KINDS: Readonly<
  Record<Config['rootKey']['kind'], (settings: RootKeySettings, create: boolean) => Promise<Opened>>
> = {
  async local(settings, create) {
    const { openLocalRootKey } = await import('../../adapters/root-keys/local.ts')
    const file = rootKeyFileOf(settings)
    // A store elsewhere has not made the directory.
    if (create && !existsSync(dirname(file))) mkdirSync(dirname(file), { mode: 0o700 })
    return openLocalRootKey({ file, create, passphrase: settings.rootKey.passphrase })
  },

  async 'aws-kms'({ rootKey: { awsKms } }) {
    const { keyId, region, endpoint, timeoutMs } = awsKms
    if (keyId === undefined) throw new TypeError('a root key in AWS KMS without its id')
    const { openAwsKms } = await import('../../adapters/root-keys/aws-kms.ts')
    const where = { ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }) }
    return { rootKey: await openAwsKms({ keyId, timeoutMs, ...where }), created: false }
  },

  async vault({ rootKey: { vault } }) {
    const { url, key, mount, token, timeoutMs } = vault
    if (url === undefined || key === undefined || token === undefined)
      throw new TypeError('a root key in Vault half set')
    const { openVault } = await import('../../adapters/root-keys/vault.ts')
    return { rootKey: openVault({ url, key, mount, token, timeoutMs }), created: false }
  },
}
