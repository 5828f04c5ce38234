import type { Handler } from '../http/call.ts'
import { onlyLocalCalls } from '../http/loopback.ts'
import { listen } from '../http/node.ts'
import { createHandler, routes } from '../http/routes.ts'
import type { Config } from './config.ts'
import type { KeyProvider } from './key-provider.ts'
import { type Log, toLoggedError } from './log.ts'
import type { Metrics } from './metrics.ts'
import { observeWith } from './observe.ts'

export interface ServerParts {
  readonly keyProvider: KeyProvider
  readonly log: Log
  readonly metrics: Metrics
  /** Of the package, for the user agent headers. */
  readonly version: string
}

export interface RunningServer {
  /** Where it listens, as the start of a URL. */
  readonly url: string
  /** Answers by `config` from now on, without losing a request. The settings that only a restart can change stay. */
  reload(config: Config): void
  /** Takes no more requests, finishes those in flight, then closes the keys. */
  close(): Promise<void>
}

/** How long requests in flight may take once the server is told to stop. */
const DRAIN_MS = 10_000
const READY_MS = 1_000

/** Serves until it is closed. Rejects when it cannot listen; the parts are the caller's to close then. */
export async function startServer(config: Config, parts: ServerParts): Promise<RunningServer> {
  const { keyProvider, log, metrics, version } = parts
  let draining = false
  const isReady = async (): Promise<boolean> => {
    if (draining) return false
    try {
      return await within(keyProvider.isReady(), READY_MS)
    } catch (error) {
      log.warn({ error: toLoggedError(error) }, 'not ready')
      return false
    }
  }

  const handlerOf = (settings: Config, url: string): Handler =>
    createHandler({
      routes: routes({
        answer: keyProvider.answerWith(settings, settings.publicUrl ?? url),
        identify: () => ANYONE,
        userAgent: `keyspring/${version}`,
        basePaths: settings.speke.basePaths,
        isReady,
        renderMetrics: metrics.render,
        player: keyProvider.playersWith(settings),
        ...widevineOf(settings),
      }),
      checks: settings.allowAnonymous ? [] : [onlyLocalCalls(settings.trustProxy)],
      observe: observeWith({ log, metrics, logRequests: settings.logRequests }),
      now: () => performance.now(),
    })

  const widevineOf = (settings: Config) => {
    const widevine = keyProvider.widevineWith(settings)
    return widevine === undefined ? {} : { widevine }
  }

  let current: Handler | undefined
  const listener = await listen({
    host: config.host,
    port: config.port,
    handler: (call) => (current ?? starting)(call),
    limits: config.limits,
    onUnreadable: ({ status, peer, requestId }) => {
      metrics.unreadable(status)
      log.warn({ requestId, status, peer }, 'not a request')
    },
    onError: (error) => log.error({ error: toLoggedError(error) }, 'a reply could not be sent'),
  })
  const url = `http://${urlHost(config.host)}:${listener.address.port}`
  try {
    current = handlerOf(config, url)
  } catch (error) {
    await listener.close(0)
    throw error
  }

  return {
    url,
    reload(next) {
      current = handlerOf(next, url)
      const [then, now] = [fixedAtStart(config), fixedAtStart(next)]
      const settings = Object.keys(then).filter((name) => then[name] !== now[name])
      if (settings.length > 0) log.warn({ settings }, 'configuration reloaded, but these settings need a restart')
      else log.info({}, 'configuration reloaded')
    },
    async close() {
      draining = true
      await listener.close(DRAIN_MS)
      await keyProvider.close()
    },
  }
}

/** The caller while nobody has to authenticate. */
const ANYONE = { tenant: 'default', client: 'anonymous' }

/** The settings that a reload cannot change, by their names. */
function fixedAtStart(config: Config): Readonly<Record<string, unknown>> {
  const { host, port, data, store, logLevel, contentKeys, ledger, limits } = config
  return {
    host,
    port,
    data,
    // Compared, never printed: a URL holds a password.
    store: `${store} ${config.postgres.url?.reveal()}`,
    'rootKey.kind': config.rootKey.kind,
    logLevel,
    'contentKeys.policy': contentKeys.policy,
    'ledger.retentionDays': ledger.retentionDays,
    'limits.bodyBytes': limits.bodyBytes,
    'limits.connections': limits.connections,
    'limits.cachedContents': limits.cachedContents,
    'limits.headersTimeoutMs': limits.headersTimeoutMs,
    'limits.requestTimeoutMs': limits.requestTimeoutMs,
  }
}

const starting: Handler = () => ({ status: 503, headers: { 'retry-after': '1' }, body: 'starting' })

async function within(answer: Promise<boolean>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}

function urlHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host
}
