import { randomBytes } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { DRM_SYSTEMS } from '../../formats/drm/facts.ts'
import { selfTestSignaling } from '../../formats/drm/self-test.ts'
import { StoredContentKeys } from '../../keys/content/content-keys.ts'
import { Renewals } from '../../keys/content/renewals.ts'
import { selfTestKeys } from '../../keys/crypto/self-test.ts'
import { Ledger, type LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { AuditSink } from '../../operations/audit/sink.ts'
import { createCpixTransfer } from '../../operations/transfer/transfer.ts'
import { IssuedKids } from '../../protocols/playback/issued-kids.ts'
import { SpekeAnswerer } from '../../protocols/speke/answer.ts'
import { WidevineAnswerer } from '../../protocols/widevine/get-content-key.ts'
import type { Config } from '../config/config.ts'
import { ContentRules } from '../config/content-rules.ts'
import { countSignaling } from '../observe/count-signaling.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { answerSettings, profileFinder } from './answering.ts'
import { ANONYMOUS_SIGNER, CallerRegistry, findSigner } from './callers.ts'
import type { KeyProvider } from './key-provider.ts'
import { openKeysAtRest } from './keys-at-rest.ts'
import { type Operations, openOperations } from './operations.ts'
import { playerRoutes } from './playback.ts'
import { readiness } from './readiness.ts'

export interface AssembleOptions {
  /** Brings the schema of PostgreSQL up to date. */
  readonly migrate?: boolean
  /** Whether the process does by itself what is done regularly. Default true; a function is frozen between two requests. */
  readonly keepsTime?: boolean
  /** Where the audit log goes unless a directory is set. */
  readonly auditSink?: AuditSink
}

/** The key provider of a configuration: the one place that knows every adapter. */
export async function assemble(
  config: Config,
  log: Log,
  metrics: Metrics,
  options: AssembleOptions = {},
): Promise<KeyProvider> {
  selfTestKeys()
  selfTestSignaling(DRM_SYSTEMS)
  const keysAtRest = await openKeysAtRest(config, log, metrics, options)
  const { store, rootKey, rootKeyName, dataKeys, created } = keysAtRest
  try {
    const rules = new ContentRules(config)
    const renewals = new Renewals({
      store,
      onLoss: (lost) => log.warn({ lost }, 'expiries of contents were not written: they are with the next request'),
      onError: (error) => log.error({ error: toLoggedError(error) }, 'expiries of contents could not be written'),
    })
    let expired: Operations['expired'] = () => {}
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
        log.warn({ code, problem: message }, 'store away, answering from memory')
      },
      onExpired: (ref, retention) => expired(ref, retention),
    })
    const ledger = new Ledger({
      store,
      now: () => Date.now(),
      keepMs: rules.ledgerKeepMs,
      onLoss: (lost) => {
        metrics.ledgerLost(lost)
        log.warn({ lost }, 'requests lost to the ledger')
      },
      onConflict: (conflicts) => {
        metrics.kidClassConflicts(conflicts.length)
        for (const { tenant, contentId, kid } of conflicts) {
          log.warn({ tenant, contentId, kid }, 'a kid was issued as clear and as drm: it has two keys')
        }
      },
      onError: (error) => log.error({ error: toLoggedError(error) }, 'the ledger could not be written'),
    })
    metrics.watchQueue('ledgerQueue', () => ledger.waiting)
    const countSystems = countSignaling(metrics)
    const issuedKids = new IssuedKids({
      store,
      now: () => performance.now(),
      wait: (ms) => setTimeout(ms),
      onUnconfirmed({ tenant, contentId }, { code, message }) {
        log.warn(
          { tenant, contentId, code, problem: message },
          'store unavailable: players get keys that may not be issued',
        )
      },
    })
    const record = (records: readonly LedgerEntry[]): void => {
      for (const one of records) ledger.record(one)
      issuedKids.note(records)
    }
    const sinks = {
      log,
      record(records: readonly LedgerEntry[]) {
        record(records)
        countSystems(records)
      },
    }
    const operations = await openOperations({
      config,
      store,
      dataKeys,
      contentKeys,
      rules,
      log,
      metrics,
      auditSink: options.auditSink,
    })
    expired = operations.expired
    if (options.keepsTime !== false) operations.start(config)

    const registry = new CallerRegistry({ store, dataKeys, now: () => Date.now() })
    return {
      loadCallers: (settings) => registry.load(settings),
      answerWith: (settings, publicUrl, callers) =>
        new SpekeAnswerer({
          ...answerSettings(settings, publicUrl, callers, sinks),
          contentKeys,
          now: () => Date.now(),
          randomBytes,
        }),
      transferWith: (settings, publicUrl, callers) =>
        createCpixTransfer(operations.management, {
          ...answerSettings(settings, publicUrl, callers, sinks),
          drmSystems: [...settings.drmSystems.values()],
          importKey: settings.api.importKey?.reveal(),
        }),
      playersWith: (settings) => playerRoutes({ contentKeys, issuedKids }, settings),
      widevineWith: (settings, callers) => {
        const { signers } = settings.widevine
        const anyone =
          settings.allowAnonymous ||
          (signers.length === 0 && callers.signers === 0 && callers.size === 0 && settings.loopback)
        if (signers.length + callers.signers === 0 && !anyone) return undefined
        const profileFor = profileFinder(settings, callers)
        return {
          widevine: new WidevineAnswerer({
            contentKeys,
            authenticate: async (...signed) => {
              const client = await callers.findSigner(...signed)
              if (typeof client !== 'string') return client
              const signer = findSigner(signers, ...signed)
              if (typeof signer !== 'string') return signer
              // A wrong signature of a known signer is an error, never another caller.
              return anyone && client === 'unknown' && signer === 'unknown' ? ANONYMOUS_SIGNER : undefined
            },
            settingsFor: ({ contentId }, client) => profileFor({ client, contentId }).settings.widevine,
            record,
          }),
        }
      },
      isReady: readiness({ store, now: () => performance.now() }),
      notices: created ? [`created ${rootKeyName}: back it up, without it every key is lost`] : [],
      operations,
      async flush() {
        await Promise.all([ledger.flush(), renewals.flush(), operations.flush()])
      },
      async close() {
        keysAtRest.stop()
        await operations.close()
        await ledger.close()
        await renewals.close()
        await store.close()
        await rootKey.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}
