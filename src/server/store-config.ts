import { Secret } from '../secret.ts'
import type { Sections } from './config-schema.ts'

/** The store and the root key, as they were checked; what could be a secret cannot be printed. */
export interface KeysAtRest {
  readonly store: 'sqlite' | 'memory' | 'postgres'
  readonly postgres: PostgresConfig
  readonly rootKey: RootKeyConfig
  readonly contentKeys: ContentKeysConfig
}

export interface PostgresConfig extends Omit<Sections['postgres'], 'replicas'> {
  /** Undefined for another store. */
  readonly url: Secret<string> | undefined
  readonly replicas: readonly Secret<string>[]
}

export interface RootKeyConfig extends Omit<Sections['rootKey'], 'passphrase' | 'vault'> {
  readonly passphrase: Secret<string> | undefined
  readonly vault: Omit<Sections['rootKey']['vault'], 'token'> & { readonly token: Secret<string> | undefined }
}

export interface ContentKeysConfig {
  readonly policy: Sections['contentKeys']['policy']
  readonly rootSecret: Secret<string> | undefined
}

/** What must be said beside a kind of root key. */
const NEEDED = {
  local: [],
  'aws-kms': ['awsKms.keyId'],
  vault: ['vault.url', 'vault.key', 'vault.token'],
} as const

/** The settings of keys at rest, and what is wrong between them. */
export function toKeysAtRest(
  { store, postgres, rootKey, contentKeys }: Pick<Sections, 'store' | 'postgres' | 'rootKey' | 'contentKeys'>,
  report: (path: string, problem: string) => void,
): KeysAtRest {
  const isPostgres = store !== 'sqlite' && store !== 'memory'
  for (const kind of new Set([rootKey.kind, ...rootKey.previous])) {
    for (const path of NEEDED[kind]) {
      if (at(rootKey, path) === undefined) report(`rootKey.${path}`, `is not set: rootKey.kind ${kind} needs it`)
    }
  }
  if (contentKeys.policy === 'derived-root' && contentKeys.rootSecret === undefined) {
    report('contentKeys.rootSecret', 'is not set: contentKeys.policy derived-root needs it')
  }
  return {
    store: isPostgres ? 'postgres' : store,
    postgres: {
      ...postgres,
      url: isPostgres ? new Secret(store) : undefined,
      replicas: postgres.replicas.map((url) => new Secret(url)),
    },
    rootKey: {
      ...rootKey,
      passphrase: toSecret(rootKey.passphrase),
      vault: { ...rootKey.vault, token: toSecret(rootKey.vault.token) },
    },
    contentKeys: { policy: contentKeys.policy, rootSecret: toSecret(contentKeys.rootSecret) },
  }
}

function toSecret(value: string | undefined): Secret<string> | undefined {
  return value === undefined ? undefined : new Secret(value)
}

function at(tree: object, path: string): unknown {
  return path.split('.').reduce((place: unknown, step) => Object(place)[step], tree)
}
