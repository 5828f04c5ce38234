import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { DRM_SYSTEMS } from '../../formats/drm/facts.ts'
import { selfTestSignaling } from '../../formats/drm/self-test.ts'
import { StoredContentKeys } from '../../keys/content/content-keys.ts'
import { Renewals } from '../../keys/content/revival.ts'
import { selfTestKeys } from '../../keys/crypto/self-test.ts'
import { Ledger } from '../../keys/ledger/ledger.ts'
import type { AuditSink } from '../../operations/audit/sink.ts'
import { IssuedKids } from '../../protocols/playback/issued-kids.ts'
import type { Config } from '../config/config.ts'
import { ContentRules } from '../config/content-rules.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import { SignalingCounter } from '../observe/measured.ts'
import type { Metrics } from '../observe/metrics.ts'
import { CallerRegistry } from './caller-registry.ts'
import { KeyProvider } from './key-provider.ts'
import { type OpenedKeysAtRest, openKeysAtRest } from './keys-at-rest.ts'
import { Operations } from './operations.ts'

export interface AssembleOptions {
  /** Update the schema of PostgreSQL. */
  readonly migrate?: boolean
  /** Whether the process runs timers of its own. Default true. A function is frozen between two requests. */
  readonly keepsTime?: boolean
  /** The destination of the audit log if no directory is set. */
  readonly auditSink?: AuditSink
}

/** Opens the key provider of a configuration. Only this folder knows every adapter. */
export async function assemble(
  config: Config,
  log: Log,
  metrics: Metrics,
  options: AssembleOptions = {},
): Promise<KeyProvider> {
  selfTestKeys()
  selfTestSignaling(DRM_SYSTEMS)
  const keysAtRest = await openKeysAtRest(config, log, metrics, options)
  try {
    return await assembleOn(keysAtRest, config, log, metrics, options)
  } catch (error) {
    await keysAtRest.store.close()
    throw error
  }
}

async function assembleOn(
  keysAtRest: OpenedKeysAtRest,
  config: Config,
  log: Log,
  metrics: Metrics,
  { keepsTime = true, auditSink }: AssembleOptions,
): Promise<KeyProvider> {
  const { store, dataKeys } = keysAtRest
  const rules = new ContentRules(config)
  const renewals = new Renewals({
    store,
    onLoss: (lost) => log.warn({ lost }, 'expiry times of contents were lost: the next request writes them'),
    onError: (error) => log.error({ error: toLoggedError(error) }, 'expiry times of contents could not be written'),
  })
  let operations: Operations | undefined
  const contentKeys = new StoredContentKeys({
    store,
    dataKeys,
    ...keysAtRest.contentKeys,
    retention: rules.retention,
    renewals,
    maxEntries: config.limits.cachedContents,
    now: () => performance.now(),
    time: () => Date.now(),
    randomBytes,
    onOpen: () => metrics.contentLookup(),
    onStale({ code, message }) {
      metrics.staleContent()
      log.warn({ code, problem: message }, 'store unreachable, answering from memory')
    },
    onExpired: (ref, retention, reason) => operations?.expired(ref, retention, reason),
  })
  const ledger = new Ledger({
    store,
    now: () => Date.now(),
    keepMs: rules.ledgerKeepMs,
    onLoss: (lost) => {
      metrics.ledgerLost(lost)
      log.warn({ lost }, 'records of the ledger were lost')
    },
    onConflict: (conflicts) => {
      metrics.kidClassConflicts(conflicts.length)
      for (const { tenant, contentId, kid } of conflicts) {
        log.warn(
          { tenant, contentId, kid },
          'a kid was issued with and without DRM systems: it has two keys. Use another kid or contentId for one of them',
        )
      }
    },
    onError: (error) => log.error({ error: toLoggedError(error) }, 'the ledger could not be written'),
  })
  metrics.watchQueue('ledgerQueue', () => ledger.waiting)
  const issuedKids = new IssuedKids({
    store,
    now: () => performance.now(),
    wait: (ms) => setTimeout(ms),
    onUnconfirmed({ tenant, contentId }, { code, message }) {
      const fields = { tenant, contentId, code, problem: message }
      log.warn(fields, 'store unavailable: players get keys that may not be issued')
    },
  })
  operations = await Operations.open({ config, store, dataKeys, contentKeys, rules, log, metrics, auditSink })
  if (keepsTime) operations.start(config)
  const callers = new CallerRegistry({ store, dataKeys, log, now: () => Date.now() })
  const signaling = new SignalingCounter(metrics)
  return new KeyProvider({ keysAtRest, contentKeys, ledger, issuedKids, renewals, signaling, callers, operations, log })
}
