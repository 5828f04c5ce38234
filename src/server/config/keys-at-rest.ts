import { Secret } from '../../core/secret.ts'
import type { ReportProblem } from './fields.ts'
import type { Sections } from './setting-list.ts'

/** The checked settings of the store and of the root key. A value that could be a secret cannot be printed. */
export interface KeysAtRest {
  readonly store: 'sqlite' | 'memory' | 'postgres' | 'dynamodb'
  readonly postgres: Omit<Sections['postgres'], 'replicas'> & {
    /** Undefined for another store. */
    readonly url: Secret<string> | undefined
    readonly replicas: readonly Secret<string>[]
  }
  readonly dynamodb: Readonly<Sections['dynamodb']>
  readonly rootKey: Omit<Sections['rootKey'], 'passphrase' | 'vault'> & {
    readonly passphrase: Secret<string> | undefined
    readonly vault: Omit<Sections['rootKey']['vault'], 'token'> & { readonly token: Secret<string> | undefined }
  }
  readonly contentKeys: {
    readonly policy: Sections['contentKeys']['policy']
    readonly rootSecret: Secret<string> | undefined
  }
}

type Written = Pick<Sections, 'store' | 'postgres' | 'dynamodb' | 'rootKey' | 'contentKeys'>

/** The stores that are named by their kind; any other text is a URL of PostgreSQL. */
const STORE_KINDS = ['sqlite', 'memory', 'dynamodb'] as const

/** The settings that a kind of root key requires. */
const REQUIRED = {
  local: [],
  'aws-kms': ['awsKms.keyId'],
  vault: ['vault.url', 'vault.key', 'vault.token'],
} as const

/** The settings of keys at rest; reports what one of them requires of another. */
export function toKeysAtRest(written: Written, report: ReportProblem): KeysAtRest {
  const { store, postgres, dynamodb, rootKey, contentKeys } = written
  const kind = STORE_KINDS.find((one) => one === store) ?? 'postgres'
  if (kind === 'dynamodb' && dynamodb.table === undefined) {
    report('dynamodb.table', 'is not set: store dynamodb requires it')
  }
  for (const kind of new Set([rootKey.kind, ...rootKey.previous])) {
    for (const path of REQUIRED[kind]) {
      if (at(rootKey, path) === undefined) report(`rootKey.${path}`, `is not set: rootKey.kind ${kind} requires it`)
    }
  }
  if (contentKeys.policy === 'derived-root' && contentKeys.rootSecret === undefined) {
    report('contentKeys.rootSecret', 'is not set: contentKeys.policy derived-root requires it')
  }
  return {
    store: kind,
    dynamodb,
    postgres: {
      ...postgres,
      url: kind === 'postgres' ? new Secret(store) : undefined,
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
