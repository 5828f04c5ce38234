import { type CallCheck, type Observe, RequestHandler } from '../../http/handler.ts'
import { isLoopbackAddress, requireLocalCall } from '../../http/listener/private-listener.ts'
import { ProxyTrust } from '../../http/listener/proxy-trust.ts'
import type { Handler } from '../../http/request.ts'
import type { RouteName } from '../../http/route.ts'
import type { ApiOptions } from '../../http/routes/api.ts'
import { operationRoutes, routes } from '../../http/routes/routes.ts'
import { retentionClasses } from '../../operations/lifetime/retention.ts'
import type { Config } from '../config/config.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import { observeWith } from '../observe/observe.ts'
import type { Callers } from './callers.ts'
import type { KeyProvider } from './key-provider.ts'

export interface HandlersOptions {
  readonly config: Config
  readonly callers: Callers
  readonly keyProvider: KeyProvider
  readonly log: Log
  readonly metrics: Metrics
  /** Of the package, for the user agent headers. */
  readonly version: string
  /** Where players reach this server. */
  readonly publicUrl: string
  readonly isReady: () => Promise<boolean>
}

/** What answers on each listener under one configuration. */
export interface Handlers {
  readonly main: Handler
  /** Metrics and how the server is, without a credential: its address says who reaches it. */
  readonly admin: Handler
}

/** Makes the handlers of a configuration. */
export function handlersOf(options: HandlersOptions): Handlers {
  const { config, callers, keyProvider, log, metrics, version, publicUrl, isReady } = options
  const { operations } = keyProvider
  const observe = observeWith({ log, metrics, logRequests: config.logRequests })
  const observed = {
    observe(...told: Parameters<Observe>) {
      observe(...told)
      if (told[3] !== undefined) operations.observe(...told)
    },
    now: () => performance.now(),
    proxies: new ProxyTrust(config.trustProxy),
    maxBodyBytes: config.limits.bodyBytes,
  }
  const { render } = metrics
  const widevine = keyProvider.widevineWith(config, callers)
  const api = config.api.enabled ? apiOptions(options) : undefined
  const main = new RequestHandler({
    ...observed,
    routes: routes({
      speke: keyProvider.answerWith(config, publicUrl, callers),
      audit: operations.issues.issued,
      identify: callers.identify,
      userAgent: `keyspring/${version}`,
      basePaths: config.speke.basePaths,
      isReady,
      metrics: config.admin === undefined ? { render, admit: callers.admitToMetrics } : undefined,
      player: keyProvider.playersWith(config),
      ...(widevine !== undefined && { widevine }),
      transfer: {
        transfer: keyProvider.transferWith(config, publicUrl, callers),
        identify: callers.identifyOperator,
      },
      api: config.admin === undefined ? api : undefined,
    }),
    beforeIssue: operations.issues.issued,
    checks: checksOf(config, callers),
    maxConcurrent: config.limits.concurrentRequests,
  })
  const admin = new RequestHandler({
    ...observed,
    routes: operationRoutes({ isReady, metrics: { render, admit: () => undefined }, api }),
    checks: config.admin !== undefined && isLoopbackAddress(config.admin.host) ? [requireLocalCall] : [],
  })
  metrics.watchQueue('requestsInFlight', () => main.underWay)
  return { main: (request) => main.handle(request), admin: (request) => admin.handle(request) }
}

/** What operators are served from. */
function apiOptions({ config, callers, keyProvider, version }: HandlersOptions): ApiOptions {
  const { management, sweeper } = keyProvider.operations
  const retention = { default: config.retention.default, classes: retentionClasses(config.retention) }
  const world = { management, sweeper, retention, importKey: config.api.importKey?.reveal() }
  return { world, identify: callers.identifyOperator, version }
}

const OF_PLAYERS: readonly (RouteName | undefined)[] = ['key', 'clearKeyLicense']

/** Where no credentials are required, only this machine is served, and the proxies that are trusted. */
function checksOf({ allowAnonymous, loopback, playback }: Config, { size }: Callers): readonly CallCheck[] {
  if (allowAnonymous) return []
  const local: CallCheck = (call) => {
    if (!call.isFromTrustedProxy) requireLocalCall(call)
  }
  if (size === 0) return [local]
  const playersAreOpen = loopback && playback.access.kind === 'open'
  return playersAreOpen ? [(call, route) => (OF_PLAYERS.includes(route) ? local(call, route) : undefined)] : []
}
