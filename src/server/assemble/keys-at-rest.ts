import { randomBytes } from 'node:crypto'
import type { ContentKeysOptions } from '../../keys/content/content-keys.ts'
import { type OpenKeys, openKeys } from '../../keys/crypto/data-keys.ts'
import { rootSecretDerivation } from '../../keys/crypto/root-secret.ts'
import type { StoreMaintenance } from '../../keys/ports/maintenance-store.ts'
import type { Config } from '../config/config.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import { measuredDataKeys, measuredRootKey, measuredStore } from '../observe/measured.ts'
import type { Metrics } from '../observe/metrics.ts'
import { openStore, type Store } from './open-store.ts'

/** The opened store and root key of a server, and the policy of content keys. */
export interface OpenedKeysAtRest extends OpenKeys {
  readonly store: Store
  readonly rootKeyName: string
  readonly contentKeys: Pick<ContentKeysOptions, 'policy' | 'deriveContentSecret'>
  /** Stops the timers. */
  stop(): void
}

const MINUTE_MS = 60_000
/** A server uses a new data key within this time after a rotation, in milliseconds. */
const RECHECK_MS = MINUTE_MS
const COUNT_EVERY_MS = 10 * MINUTE_MS

/** Opens the store and the root key of a configuration. `migrate`: update the schema of PostgreSQL. `keepsTime`: count sealed values at intervals. */
export async function openKeysAtRest(
  config: Config,
  log: Log,
  metrics: Metrics,
  { migrate = false, keepsTime = true }: { readonly migrate?: boolean; readonly keepsTime?: boolean } = {},
): Promise<OpenedKeysAtRest> {
  // A count in DynamoDB reads, and costs, the whole table.
  const counts = keepsTime && config.store !== 'dynamodb'
  const { rootKeyName, ...found } = await openStore(config, {
    migrate,
    onReplicaAway: ({ code, message }) =>
      log.warn({ code, problem: message }, 'replica unreachable, reading from the primary'),
    onWriterRestart({ code, message }) {
      metrics.storeWriterRestart()
      log.error({ code, problem: message }, 'the writer of the store ended, another one was started')
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
            'root key unreachable, using a data key from memory',
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

/** The policy of content keys in a configuration. */
export function contentKeysPolicyOf({ contentKeys: { policy, rootSecret } }: Config): OpenedKeysAtRest['contentKeys'] {
  const deriveContentSecret =
    policy === 'derived-root' && rootSecret !== undefined
      ? rootSecretDerivation(Buffer.from(rootSecret.reveal(), 'base64'))
      : undefined
  return { policy, deriveContentSecret }
}

/** Updates the metric of sealed values by data key at intervals. Returns a function that stops it. */
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
