import { randomBytes } from 'node:crypto'
import { selfTestSignaling } from '../drm/self-test.ts'
import { DRM_SYSTEMS } from '../drm/systems.ts'
import { createContentKeys } from '../keys/keyring.ts'
import { createLedger, type Ledger, pruneLedger } from '../keys/ledger.ts'
import { selfTestKeys } from '../keys/self-test.ts'
import type { LedgerStore } from '../keys/store.ts'
import { issuedClasses } from '../playback/issued-classes.ts'
import { type AnswerWarning, createAnswer } from '../speke/answer.ts'
import type { SignalingProfile } from '../speke/profile.ts'
import { playerUrls } from '../speke/urls.ts'
import { getContentKey } from '../widevine/get-content-key.ts'
import { type Callers, callersFrom } from './callers.ts'
import type { Config } from './config.ts'
import { drmSystemFinder } from './drm-systems.ts'
import type { KeyProvider } from './key-provider.ts'
import { openKeysAtRest } from './keys-at-rest.ts'
import { type Log, toLoggedError } from './log.ts'
import { countSignaling, measuredContentKeys } from './measured-content-keys.ts'
import type { Metrics } from './metrics.ts'
import { playerRoutes } from './playback.ts'
import { profileChooser } from './profiles.ts'
import { readiness } from './readiness.ts'
import { authenticateSigners } from './widevine-signers.ts'

const PRUNE_EVERY_MS = 3_600_000
const DAY_MS = 86_400_000

export interface AssembleOptions {
  /** Brings the schema of PostgreSQL up to date. */
  readonly migrate?: boolean
  /** Whether the process does by itself what is done regularly. Default true; a function is frozen between two requests. */
  readonly keepsTime?: boolean
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
    const openedKeys = createContentKeys({
      store,
      dataKeys,
      ...keysAtRest.contentKeys,
      maxEntries: config.limits.cachedContents,
      now: () => performance.now(),
      time: () => Date.now(),
      randomBytes,
      onStale({ code, message }) {
        metrics.staleContent()
        log.warn({ code, problem: message }, 'store away, answering from memory')
      },
    })
    const contentKeys = measuredContentKeys(openedKeys, metrics)
    const ledger = createLedger({
      store,
      now: () => Date.now(),
      keepMs: () => config.ledger.retentionDays * DAY_MS,
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
    const countSystems = countSignaling(metrics)
    const playedKeys = {
      contentKeys,
      issuedClasses: issuedClasses({ ledger: store, now: () => performance.now() }),
    }
    const stopPruning = options.keepsTime === false ? () => {} : pruneRegularly(store, log)

    return {
      loadCallers: callersFrom({ store, dataKeys, now: () => Date.now() }),
      answerWith: (settings, publicUrl, callers) => {
        const profileFor = profileFinder(settings, callers)
        const { missingVersionHeader, strictContract, contract } = settings.speke
        const { bytes, depth, elements, contentKeys: keys, drmSystems, recipients } = limitsOf(settings)
        return createAnswer({
          contentKeys,
          findDrmSystem: drmSystemFinder(settings.drmSystems),
          profileFor,
          policy: {
            missingVersionHeader,
            strictContract,
            contract,
            certificateValidity: settings.contentKeyEncryption.validity,
            limits: { contentKeys: keys, drmSystems, recipients },
          },
          xmlLimits: { bytes, depth, elements },
          urls: playerUrls(publicUrl, settings.playback.urlQuery),
          record: (records) => {
            recordAll(ledger, records)
            countSystems(records)
          },
          warn: (warning) => logWarning(log, warning),
          now: () => Date.now(),
          randomBytes,
        })
      },
      playersWith: (settings) => playerRoutes(playedKeys, settings),
      widevineWith: (settings, callers) => {
        const { signers } = settings.widevine
        const anyone =
          settings.allowAnonymous ||
          (signers.length === 0 && callers.signers === 0 && callers.size === 0 && settings.loopback)
        if (signers.length + callers.signers === 0 && !anyone) return undefined
        const profileFor = profileFinder(settings, callers)
        const ofSettings = authenticateSigners(signers, anyone)
        return {
          getContentKey: getContentKey({
            contentKeys,
            authenticate: async (...signed) =>
              (await callers.authenticateSigner(...signed)) ?? (await ofSettings(...signed)),
            settingsFor: ({ contentId }, client) => profileFor({ client, contentId }).settings.widevine,
            record: (records) => recordAll(ledger, records),
          }),
        }
      },
      isReady: readiness({ store, now: () => performance.now() }),
      notices: created ? [`created ${rootKeyName}: back it up, without it every key is lost`] : [],
      flush: () => ledger.flush(),
      async close() {
        stopPruning()
        keysAtRest.stop()
        await ledger.close()
        await store.close()
        await rootKey.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** The profile of a client's own, else that of the content. */
function profileFinder(settings: Config, { profileOf }: Pick<Callers, 'profileOf'>) {
  const { signalingProfiles } = settings
  const ofContent = profileChooser(signalingProfiles, settings.signalingProfile, settings.contents)
  return ({ client, contentId }: { readonly client: string; readonly contentId: string }): SignalingProfile =>
    signalingProfiles.get(profileOf(client) ?? '') ?? ofContent(contentId)
}

function limitsOf({ limits }: Config) {
  return { ...limits, bytes: limits.bodyBytes }
}

function recordAll(ledger: Ledger, records: readonly Parameters<Ledger['record']>[0][]): void {
  for (const record of records) ledger.record(record)
}

function logWarning(log: Log, warning: AnswerWarning): void {
  if (warning.kind === 'uri-too-long') {
    const { tenant, contentId, kid, system, bytes } = warning
    log.warn({ tenant, contentId, kid, problem: `${system}: ${bytes} bytes` }, 'a URI is longer than players take')
  } else {
    log.warn({ problem: `${warning.path}: ${warning.problem}` }, 'a recipient has a certificate that is not valid now')
  }
}

function pruneRegularly(store: LedgerStore, log: Log): () => void {
  const timer = setInterval(() => {
    pruneLedger({ store, now: () => Date.now() }).catch((error: unknown) =>
      log.error({ error: toLoggedError(error) }, 'the ledger could not be pruned'),
    )
  }, PRUNE_EVERY_MS)
  timer.unref()
  return () => clearInterval(timer)
}
