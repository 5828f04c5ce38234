import { readFileSync } from 'node:fs'
import { KeyProviderError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import { type Config, readConfig } from '../../server/config/config.ts'

/** The options of every command that works on the keys of a configuration. */
export interface KeysOptions {
  readonly config?: string
  readonly data?: string
}

/** The configuration of a command that works on stored keys: a store in memory has none. */
export function readKeysConfig({ config: file, data }: KeysOptions, what: string): Config {
  const config = readConfig({ file, environment: process.env, flags: { data }, serves: false })
  if (config.store === 'memory') {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `store: it is memory, which ends with its process: ${what} needs another`,
    )
  }
  return config
}

/** The text of a file that holds a secret, without the line end editors put there. A secret is never an argument: arguments show in `ps`. */
export function readSecretFile(option: string, file: string): Secret<string> {
  const text = readFileSync(file === '-' ? 0 : file, 'utf8').replace(/\r?\n$/, '')
  if (text.length < 12) throw new KeyProviderError('ERR_CONFIG_INVALID', `${option}: expected at least 12 characters`)
  return new Secret(text)
}
