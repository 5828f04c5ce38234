import { X509Certificate } from 'node:crypto'
import { withTimeLimit } from '../core/time-limit.ts'
import { Listener } from '../http/listener/listener.ts'
import { isLoopbackAddress } from '../http/listener/private-listener.ts'
import type { TlsMaterial } from '../http/listener/tls.ts'
import type { Handler } from '../http/request.ts'
import type { Callers } from './assemble/callers.ts'
import type { KeyProvider } from './assemble/key-provider.ts'
import { type RequestHandlers, requestHandlers, servesPlayers } from './assemble/request-handlers.ts'
import type { Config } from './config/config.ts'
import { readTls } from './config/files.ts'
import { type Log, toLoggedError } from './observe/log.ts'
import { LogSamples } from './observe/log-samples.ts'
import type { Metrics } from './observe/metrics.ts'

interface ServerParts {
  readonly keyProvider: KeyProvider
  readonly log: Log
  readonly metrics: Metrics
  /** Of the package, for the user agent headers. */
  readonly version: string
}

/** How long requests in progress may take after the server starts to close, in milliseconds. */
const DRAIN_MS = 10_000
const READY_MS = 1_000

/** A server that listens. */
export class RunningServer {
  /** The address of the server, as the start of a URL. */
  readonly url: string
  readonly #config: Config
  readonly #parts: ServerParts
  readonly #listener: Listener
  readonly #tls: TlsMaterial | undefined
  #admin: { readonly listener: Listener; readonly tls: TlsMaterial | undefined; readonly url: string } | undefined
  #callers: Callers
  #handlers: RequestHandlers | undefined
  #reloading = Promise.resolve()
  #isDraining = false

  /** Starts to listen. Rejects if it cannot; the caller closes the parts then. */
  static async start(config: Config, parts: ServerParts): Promise<RunningServer> {
    const callers = await parts.keyProvider.callers.load(config)
    const tls = config.tls === undefined ? undefined : readTls(config.tls)
    let server: RunningServer | undefined
    const handler: Handler = (call) => (server === undefined ? starting : server.#handlerOf('main'))(call)
    const listener = await listenAt(config, parts, config, tls, handler)
    server = new RunningServer(config, parts, listener, tls, callers)
    try {
      await server.#open()
    } catch (error) {
      await server.#closeListeners(0)
      throw error
    }
    return server
  }

  private constructor(
    config: Config,
    parts: ServerParts,
    listener: Listener,
    tls: TlsMaterial | undefined,
    callers: Callers,
  ) {
    this.#config = config
    this.#parts = parts
    this.#listener = listener
    this.#tls = tls
    this.#callers = callers
    this.url = urlOf(config.host, listener, tls)
  }

  /** The address of the listener for metrics and administration; undefined if there is none. */
  get adminUrl(): string | undefined {
    return this.#admin?.url
  }

  /** The number of clients. */
  get clients(): number {
    return this.#callers.size
  }

  /** The file of the token for management while there are no clients; undefined if there are, or if management is off. */
  get managementTokenFile(): string | undefined {
    return this.#callers.bootstrapFile
  }

  /**
   * Applies a configuration without losing a request. Settings that need a restart keep their value. Rejects with
   * ERR_CONFIG_INVALID, and changes nothing, if its clients or certificates cannot be read, or if it would open the server.
   */
  reload(config: Config): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload(config))
    // One reload after the other: a failed one does not stop the next.
    this.#reloading = reloaded.catch(() => undefined)
    return reloaded
  }

  /** Rejects new requests, finishes those in progress, then closes the keys. */
  async close(): Promise<void> {
    this.#isDraining = true
    await this.#closeListeners(DRAIN_MS)
    await this.#parts.keyProvider.close()
  }

  async #open(): Promise<void> {
    const { keyProvider, metrics } = this.#parts
    const { admin } = this.#config
    if (admin !== undefined) {
      // Nobody can listen in on this machine, and programs that scrape metrics do not know the certificate.
      const tls = isLoopbackAddress(admin.host) ? undefined : this.#tls
      const handler: Handler = (call) => this.#handlerOf('admin')(call)
      const listener = await listenAt(this.#config, this.#parts, admin, tls, handler)
      this.#admin = { listener, tls, url: urlOf(admin.host, listener, tls) }
    }
    this.#handlers = this.#handlersOf(this.#config, this.#callers)
    keyProvider.callers.enforce(this.#callers)
    this.#warnOfPlayers(this.#config, this.#callers)
    metrics.watchReady(() => this.#isReady())
    reportCertificates(this.#tls, metrics)
  }

  async #reload(next: Config): Promise<void> {
    const { keyProvider, log, metrics } = this.#parts
    const callers = await keyProvider.callers.load(next)
    const tls = next.tls && readTls(next.tls)
    const handlers = this.#handlersOf(next, callers)
    // Nothing below can fail: everything changes between two requests, or nothing has.
    if (tls !== undefined && this.#tls !== undefined) this.#listener.setTls(tls)
    if (tls !== undefined && this.#admin?.tls !== undefined) this.#admin.listener.setTls(tls)
    reportCertificates(tls, metrics)
    keyProvider.callers.enforce(callers)
    keyProvider.operations.replace(next)
    this.#callers = callers
    this.#handlers = handlers
    this.#warnOfPlayers(next, callers)
    const [before, after] = [this.#config.fixedAtStart.reveal(), next.fixedAtStart.reveal()]
    const settings = [...before.keys()].filter((path) => before.get(path) !== after.get(path))
    if (settings.length > 0) log.warn({ settings }, 'configuration reloaded, but these settings need a restart')
    else log.info({}, 'configuration reloaded')
  }

  #handlerOf(listener: keyof RequestHandlers): Handler {
    return this.#handlers?.[listener] ?? starting
  }

  #handlersOf(config: Config, callers: Callers): RequestHandlers {
    const { keyProvider, metrics, version } = this.#parts
    const publicUrl = config.publicUrl ?? this.url
    const isReady = () => this.#isReady()
    return requestHandlers({ config, callers, keyProvider, metrics, version, publicUrl, isReady })
  }

  #warnOfPlayers(config: Config, callers: Callers): void {
    if (config.playback.isAccessSet || servesPlayers(config, callers)) return
    const problem =
      'playback.access: is not set, and clients are configured: set off, jwt, signed-url, callback or open'
    this.#parts.log.warn({ problem }, 'players get no keys')
  }

  async #isReady(): Promise<boolean> {
    if (this.#isDraining) return false
    const { keyProvider, log } = this.#parts
    try {
      return await withTimeLimit(READY_MS, () => keyProvider.isReady())
    } catch (error) {
      log.warn({ error: toLoggedError(error) }, 'not ready')
      return false
    }
  }

  async #closeListeners(deadlineMs: number): Promise<void> {
    await Promise.all([this.#listener.close(deadlineMs), this.#admin?.listener.close(deadlineMs)])
  }
}

const starting: Handler = () => ({ status: 503, headers: { 'retry-after': '1' }, body: 'starting' })

function listenAt(
  { limits }: Config,
  { log, metrics }: ServerParts,
  { host, port }: { readonly host: string; readonly port: number },
  tls: TlsMaterial | undefined,
  handler: Handler,
): Promise<Listener> {
  const samples = new LogSamples(() => performance.now())
  return Listener.open({
    host,
    port,
    tls,
    handler,
    limits,
    onUnreadable: ({ status, peer, requestId }) => {
      metrics.unreadable(status)
      const suppressed = samples.take(peer ?? '')
      if (suppressed === undefined) return
      log.warn({ requestId, status, peer, ...(suppressed > 0 && { suppressed }) }, 'not a request')
    },
    onError: (error) => log.error({ error: toLoggedError(error) }, 'a reply could not be sent'),
  })
}

function urlOf(host: string, { address }: Listener, tls: TlsMaterial | undefined): string {
  return `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}

/** Reports to the metrics when the first certificate of each file expires. */
function reportCertificates(tls: TlsMaterial | undefined, metrics: Metrics): void {
  if (tls === undefined) return
  metrics.tlsCertificateExpiry('server', firstExpiry(tls.cert))
  if (tls.clientCa !== undefined) metrics.tlsCertificateExpiry('client-ca', firstExpiry(tls.clientCa))
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** When the first certificate of a PEM file expires, in seconds since 1970. */
function firstExpiry(pem: Buffer): number {
  const all = pem.toString('latin1').match(CERTIFICATE) ?? []
  return Math.min(...all.map((one) => new X509Certificate(one).validToDate.getTime() / 1_000))
}
