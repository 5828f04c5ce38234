import { randomBytes } from 'node:crypto'
import { removeLocalGenerations, rotateLocalRootKey } from '../../../adapters/root-keys/local.ts'
import { resealClients } from '../../../auth/clients/reseal.ts'
import type { ClientStore } from '../../../auth/clients/store.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import { DataKeyRing } from '../../../keys/crypto/data-keys.ts'
import {
  type DataKeyStatus,
  keyringStatus,
  type RotationOptions,
  removeOldDataKeys,
  resealAll,
  rewrapDataKeys,
  rotateDataKeys,
} from '../../../keys/maintenance/rotate-data-keys.ts'
import { resealAuditHeads } from '../../../operations/audit/heads.ts'
import type { AuditHeadStore } from '../../../operations/ports/store.ts'
import { rootKeyFileOf } from '../../../server/assemble/open-root-key.ts'
import { type KeysOptions, readKeysConfig } from '../../shared/keys-options.ts'
import { withOpenedKeys } from '../../shared/opened-keys.ts'
import { progressLine } from '../../shared/progress.ts'

/** Prints every data key, how much is sealed with it and what wraps it. */
export async function status(options: KeysOptions & { readonly json?: boolean }): Promise<void> {
  const found = await withKeyring(options, (keyring) => keyringStatus(keyring))
  if (options.json === true) {
    print(JSON.stringify(found, undefined, 2))
    return
  }
  for (const line of found.map(describe)) print(line)
  if (found.length === 0) print('no data keys yet')
  const old = found.filter(({ isNewest, isWrappedByNewest }) => !isNewest || !isWrappedByNewest)
  if (old.length > 0) print('hint: `keyspring keyring rewrap --remove-old` moves everything to the newest')
}

/** Adds a generation: of the local root key, or with `dataKeys` of the data keys of every tenant. */
export async function rotate(options: KeysOptions & { readonly dataKeys?: boolean }): Promise<void> {
  if (options.dataKeys === true) {
    const made = await withKeyring(options, rotateDataKeys)
    print(`new data keys: ${made}; servers seal with them within a minute, \`keyspring keyring rewrap\` moves the rest`)
    return
  }
  const config = readKeysConfig(options, 'a rotation')
  if (config.rootKey.kind !== 'local') {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `rootKey.kind: ${config.rootKey.kind} rotates its own keys; run \`keyspring keyring rewrap\` afterwards`,
    )
  }
  const file = rootKeyFileOf(config)
  const id = await rotateLocalRootKey({ file, passphrase: config.rootKey.passphrase })
  print(`new generation ${id} in ${file}: back it up, copy it to every node, then run \`keyspring keyring rewrap\``)
}

/** Wraps and seals everything with the newest generations; with `removeOld` those that nothing needs any more go. */
export async function rewrap(options: KeysOptions & { readonly removeOld?: boolean }): Promise<void> {
  const config = readKeysConfig(options, 'a rotation')
  await withKeyring(options, async (keyring) => {
    print(`data keys wrapped anew: ${await rewrapDataKeys(keyring)}`)
    const line = progressLine()
    const { contents, resealed } = await resealAll({
      ...keyring,
      onProgress: (done) => line.say(done.contents, `${done.contents} contents, ${done.resealed} values sealed anew`),
    })
    line.end()
    print(`values sealed anew: ${resealed}, of ${contents} contents`)
    const credentials = await resealClients({ ...keyring, dataKeys: new DataKeyRing(keyring) })
    print(`credentials of clients sealed anew: ${credentials}`)
    const heads = await resealAuditHeads({ ...keyring, dataKeys: new DataKeyRing(keyring) })
    print(`heads of audit logs sealed anew: ${heads}`)
    if (options.removeOld === true) {
      print(`old data keys removed: ${await removeOldDataKeys(keyring)}`)
      if (config.rootKey.kind === 'local') {
        const needed = new Set((await keyringStatus(keyring)).map(({ wrappedBy }) => wrappedBy))
        const local = { file: rootKeyFileOf(config), passphrase: config.rootKey.passphrase }
        print(
          `old root key generations removed: ${await removeLocalGenerations(local, (id) => needed.has(`local ${id}`))}`,
        )
      }
    }
    const left = (await keyringStatus(keyring)).filter(({ isNewest, rows }) => !isNewest && rows > 0)
    for (const one of left) print(`left: ${describe(one)}; run it again when no server seals with it any more`)
  })
}

type Keyring = RotationOptions & { readonly store: ClientStore & AuditHeadStore }

function withKeyring<T>(options: KeysOptions, use: (keyring: Keyring) => Promise<T>): Promise<T> {
  return withOpenedKeys(readKeysConfig(options, 'a keyring'), ({ store, rootKey, rootKeyName }) =>
    use({ store, rootKey, rootKeyName, randomBytes }),
  )
}

function describe({ tenant, generation, isNewest, rows, wrappedBy, isWrappedByNewest }: DataKeyStatus): string {
  const age = isNewest ? 'newest' : 'old'
  const wrapping = `wrapped by ${wrappedBy}${isWrappedByNewest ? '' : ' (old)'}`
  return `tenant ${JSON.stringify(tenant)}, data key ${generation} (${age}): ${rows} sealed values, ${wrapping}`
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}
