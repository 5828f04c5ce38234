import { withTimeLimit } from '../core/time-limit.ts'
import { Listener } from '../http/listener/listener.ts'
import { isLoopbackAddress } from '../http/listener/private-listener.ts'
import type { TlsMaterial } from '../http/listener/tls.ts'
import type { Handler } from '../http/request.ts'
import type { Callers } from './assemble/callers.ts'
import { type Handlers, handlersOf } from './assemble/handlers.ts'
import type { KeyProvider } from './assemble/key-provider.ts'
import type { Config } from './config/config.ts'
import { readTls } from './config/files.ts'
import { reportCertificates } from './observe/certificate-expiry.ts'
import { type Log, toLoggedError } from './observe/log.ts'
import type { Metrics } from './observe/metrics.ts'

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
  /** Where the listener for metrics and administration listens, if there is one. */
  readonly adminUrl: string | undefined
  /** How many clients there were at the start; 0: nobody has to authenticate. */
  readonly clients: number
  /**
   * Answers by `config` from now on, without losing a request. The settings that only a restart can change stay. Rejects with
   * ERR_CONFIG_INVALID, and everything stays, when the clients or certificates it names cannot be had.
   */
  reload(config: Config): Promise<void>
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
      return await withTimeLimit(READY_MS, () => keyProvider.isReady())
    } catch (error) {
      log.warn({ error: toLoggedError(error) }, 'not ready')
      return false
    }
  }

  const callers = await keyProvider.loadCallers(config)
  const tls = config.tls === undefined ? undefined : readTls(config.tls)
  const handlersWith = (settings: Config, who: Callers, url: string): Handlers => {
    const publicUrl = settings.publicUrl ?? url
    return handlersOf({ config: settings, callers: who, keyProvider, log, metrics, version, publicUrl, isReady })
  }

  let current: Handlers | undefined
  const listenAt = (host: string, port: number, which: keyof Handlers, material?: TlsMaterial): Promise<Listener> =>
    Listener.open({
      host,
      port,
      tls: material,
      handler: (call) => (current?.[which] ?? starting)(call),
      limits: config.limits,
      onUnreadable: ({ status, peer, requestId }) => {
        metrics.unreadable(status)
        log.warn({ requestId, status, peer }, 'not a request')
      },
      onError: (error) => log.error({ error: toLoggedError(error) }, 'a reply could not be sent'),
    })
  const listener = await listenAt(config.host, config.port, 'main', tls)
  const url = urlOf(tls === undefined ? 'http' : 'https', config.host, listener)
  // On this machine nobody listens in, and what scrapes metrics knows no certificate.
  const adminTls = config.admin === undefined || isLoopbackAddress(config.admin.host) ? undefined : tls
  let admin: Listener | undefined
  try {
    admin = config.admin && (await listenAt(config.admin.host, config.admin.port, 'admin', adminTls))
    current = handlersWith(config, callers, url)
  } catch (error) {
    await Promise.all([listener.close(0), admin?.close(0)])
    throw error
  }
  callers.enforce()
  metrics.watchReady(isReady)
  reportCertificates(tls, metrics)

  const reload = async (next: Config): Promise<void> => {
    const [nextCallers, nextTls] = [await keyProvider.loadCallers(next), next.tls && readTls(next.tls)]
    const handlers = handlersWith(next, nextCallers, url)
    // From here on nothing can fail: all of it changes, between two requests, or nothing has.
    if (nextTls !== undefined && tls !== undefined) listener.setTls(nextTls)
    if (nextTls !== undefined && adminTls !== undefined) admin?.setTls(nextTls)
    reportCertificates(nextTls, metrics)
    nextCallers.enforce()
    keyProvider.operations.replace(next)
    current = handlers
    const [before, after] = [config.fixedAtStart.reveal(), next.fixedAtStart.reveal()]
    const settings = [...before.keys()].filter((path) => before.get(path) !== after.get(path))
    if (settings.length > 0) log.warn({ settings }, 'configuration reloaded, but these settings need a restart')
    else log.info({}, 'configuration reloaded')
  }
  let reloading = Promise.resolve()

  return {
    url,
    adminUrl: config.admin && admin && urlOf(adminTls === undefined ? 'http' : 'https', config.admin.host, admin),
    clients: callers.size,
    reload(next) {
      const reloaded = reloading.then(() => reload(next))
      // One after the other; the next is tried whatever became of this one.
      reloading = reloaded.catch(() => undefined)
      return reloaded
    },
    async close() {
      draining = true
      await Promise.all([listener.close(DRAIN_MS), admin?.close(DRAIN_MS)])
      await keyProvider.close()
    },
  }
}

const starting: Handler = () => ({ status: 503, headers: { 'retry-after': '1' }, body: 'starting' })

function urlOf(scheme: 'http' | 'https', host: string, { address }: Listener): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
