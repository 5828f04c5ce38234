import { randomBytes } from 'node:crypto'
import type { ContentKeysOptions } from '../../keys/content/content-keys.ts'
import { type OpenKeys, openKeys } from '../../keys/crypto/open-keys.ts'
import { rootSecretDerivation } from '../../keys/crypto/root-secret.ts'
import type { StoreMaintenance } from '../../keys/ports/maintenance-store.ts'
import type { Config } from '../config/config.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import { measuredDataKeys, measuredRootKey } from '../observe/measured-root-key.ts'
import { measuredStore } from '../observe/measured-store.ts'
import type { Metrics } from '../observe/metrics.ts'
import { openStore, type Store } from './open-store.ts'

/** The store of a server, opened with its root key, and what content keys come from. */
export interface OpenedKeysAtRest extends OpenKeys {
  readonly store: Store
  readonly rootKeyName: string
  readonly contentKeys: Pick<ContentKeysOptions, 'policy' | 'deriveContentSecret'>
  /** Ends what is done regularly. */
  stop(): void
}

const MINUTE_MS = 60_000
/** Servers learn of a rotation within this time. */
const RECHECK_MS = MINUTE_MS
const COUNT_EVERY_MS = 10 * MINUTE_MS

/** Opens the store and the root key of a configuration. `migrate` lets it change the schema of PostgreSQL, `keepsTime` count regularly. */
export async function openKeysAtRest(
  config: Config,
  log: Log,
  metrics: Metrics,
  { migrate = false, keepsTime = true }: { readonly migrate?: boolean; readonly keepsTime?: boolean } = {},
): Promise<OpenedKeysAtRest> {
  // To count in DynamoDB is to read, and to pay for, the whole table.
  const counts = keepsTime && config.store !== 'dynamodb'
  const { rootKeyName, ...found } = await openStore(config, {
    migrate,
    onReplicaAway: ({ code, message }) => log.warn({ code, problem: message }, 'replica away, asking the primary'),
    onWriterRestart({ code, message }) {
      metrics.storeWriterRestart()
      log.error({ code, problem: message }, 'the writer of the store died, another was started')
    },
  })
  const store = measuredStore(found.store, config.store, metrics)
  const provider = config.store === 'memory' ? 'memory' : config.rootKey.kind
  const openRootKey = async (create: boolean) => {
    const { rootKey, created } = await found.openRootKey(create)
    return { rootKey: measuredRootKey(rootKey, provider, metrics), created }
  }
  try {
    const opened = await openKeys({
      store,
      openRootKey,
      rootKeyName,
      randomBytes,
      caching: {
        now: () => performance.now(),
        recheckMs: RECHECK_MS,
        ttlMs: config.rootKey.cacheMinutes * MINUTE_MS,
        maxStaleMs: config.rootKey.maxStaleMinutes * MINUTE_MS,
        onStale({ code, message }, tenant, ageMs) {
          metrics.staleDataKey()
          log.error(
            { code, problem: message, tenant, ms: Math.round(ageMs) },
            'root key away, using a data key from memory',
          )
        },
      },
    })
    return {
      ...opened,
      dataKeys: measuredDataKeys(opened.dataKeys, metrics),
      store,
      rootKeyName,
      contentKeys: contentKeysPolicyOf(config),
      stop: counts ? countRegularly(store, log, metrics) : () => {},
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** What content keys come from, by the configuration. */
export function contentKeysPolicyOf({ contentKeys: { policy, rootSecret } }: Config): OpenedKeysAtRest['contentKeys'] {
  const deriveContentSecret =
    policy === 'derived-root' && rootSecret !== undefined
      ? rootSecretDerivation(Buffer.from(rootSecret.reveal(), 'base64'))
      : undefined
  return { policy, deriveContentSecret }
}

/** Keeps the metric of sealed values by data key up to date. */
function countRegularly(store: StoreMaintenance, log: Log, metrics: Metrics): () => void {
  const count = async (): Promise<void> => {
    try {
      metrics.sealedRows(await store.countSeals())
    } catch (error) {
      log.warn({ error: toLoggedError(error) }, 'sealed values could not be counted')
    }
  }
  const first = setTimeout(count, MINUTE_MS).unref()
  const regularly = setInterval(count, COUNT_EVERY_MS).unref()
  return () => {
    clearTimeout(first)
    clearInterval(regularly)
  }
}
