import { Secret } from '../../core/secret.ts'
import type { Sections } from './schema.ts'

/** The store and the root key, as they were checked; what could be a secret cannot be printed. */
export interface KeysAtRest {
  readonly store: 'sqlite' | 'memory' | 'postgres' | 'dynamodb'
  readonly postgres: PostgresConfig
  readonly dynamodb: Readonly<Sections['dynamodb']>
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

/** The stores that are named by their kind; any other text is a URL. */
const KINDS = ['sqlite', 'memory', 'dynamodb'] as const

/** What must be said beside a kind of root key. */
const NEEDED = {
  local: [],
  'aws-kms': ['awsKms.keyId'],
  vault: ['vault.url', 'vault.key', 'vault.token'],
} as const

/** The settings of keys at rest, and what is wrong between them. */
export function toKeysAtRest(
  {
    store,
    postgres,
    dynamodb,
    rootKey,
    contentKeys,
  }: Pick<Sections, 'store' | 'postgres' | 'dynamodb' | 'rootKey' | 'contentKeys'>,
  report: (path: string, problem: string) => void,
): KeysAtRest {
  const kind = KINDS.find((one) => one === store) ?? 'postgres'
  const isPostgres = kind === 'postgres'
  if (kind === 'dynamodb' && dynamodb.table === undefined) {
    report('dynamodb.table', 'is not set: store dynamodb needs it')
  }
  for (const kind of new Set([rootKey.kind, ...rootKey.previous])) {
    for (const path of NEEDED[kind]) {
      if (at(rootKey, path) === undefined) report(`rootKey.${path}`, `is not set: rootKey.kind ${kind} needs it`)
    }
  }
  if (contentKeys.policy === 'derived-root' && contentKeys.rootSecret === undefined) {
    report('contentKeys.rootSecret', 'is not set: contentKeys.policy derived-root needs it')
  }
  return {
    store: kind,
    dynamodb,
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
