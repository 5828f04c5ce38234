import { randomBytes } from 'node:crypto'
import { type CallCheck, type Observe, RequestHandler } from '../../http/handler.ts'
import { isLoopbackAddress, requireLocalCall } from '../../http/listener/private-listener.ts'
import { ProxyTrust } from '../../http/listener/proxy-trust.ts'
import type { Handler } from '../../http/request.ts'
import type { RouteName } from '../../http/route.ts'
import type { ApiOptions } from '../../http/routes/api.ts'
import type { PlayerRouteOptions } from '../../http/routes/player.ts'
import { operationRoutes, routes } from '../../http/routes/routes.ts'
import type { WidevineRouteOptions } from '../../http/routes/widevine.ts'
import { retentionClasses } from '../../operations/lifetime/retention.ts'
import { createCpixTransfer } from '../../operations/transfer/transfer.ts'
import { SpekeAnswerer } from '../../protocols/speke/answer.ts'
import { WidevineAnswerer } from '../../protocols/widevine/get-content-key.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../observe/metrics.ts'
import { RequestObserver } from '../observe/requests.ts'
import { answerOptions, profileFinder } from './answer-options.ts'
import type { Callers } from './callers.ts'
import type { KeyProvider } from './key-provider.ts'
import { playerRouteOptions } from './player-routes.ts'

interface RequestHandlersOptions {
  readonly config: Config
  readonly callers: Callers
  readonly keyProvider: KeyProvider
  readonly metrics: Metrics
  /** Of the package, for the user agent headers. */
  readonly version: string
  /** The address at which players reach this server. */
  readonly publicUrl: string
  readonly isReady: () => Promise<boolean>
}

/** The handlers of each listener under one configuration. */
export interface RequestHandlers {
  readonly main: Handler
  /** Metrics and health without a credential, and the management API: its address limits who reaches it. */
  readonly admin: Handler
}

/** The handlers of a configuration. A reload makes new ones over the same keys. */
export function requestHandlers(options: RequestHandlersOptions): RequestHandlers {
  const { config, callers, keyProvider, metrics, version, publicUrl, isReady } = options
  const { operations, contentKeys, log } = keyProvider
  const requests = new RequestObserver({ log, metrics, logRequests: config.logRequests })
  const observe: Observe = (call, route, reply, error, durationMs) => {
    requests.observe(call, route, reply, error, durationMs)
    if (error !== undefined) operations.observe(call, route, reply, error, durationMs)
  }
  const shared = {
    observe,
    now: () => performance.now(),
    proxies: new ProxyTrust(config.trustProxy),
    maxBodyBytes: config.limits.bodyBytes,
  }
  const { render } = metrics
  const api = config.api.enabled ? apiOptions(options) : undefined
  const answering = answerOptions(config, publicUrl, callers, keyProvider)
  const player = playerOptions(options)
  const widevine = widevineOptions(options)
  const hasAdmin = config.admin !== undefined
  const main = new RequestHandler({
    ...shared,
    routes: routes({
      speke: new SpekeAnswerer({ ...answering, contentKeys, now: () => Date.now(), randomBytes }),
      audit: (call, issued) => operations.issuedKeys.issued(call, issued),
      identify: callers.identify,
      userAgent: `keyspring/${version}`,
      basePaths: config.speke.basePaths,
      isReady,
      metrics: hasAdmin ? undefined : { render, admit: callers.admitToMetrics },
      ...(player !== undefined && { player }),
      ...(widevine !== undefined && { widevine }),
      transfer: {
        transfer: createCpixTransfer(operations.management, {
          ...answering,
          drmSystems: [...config.drmSystems.values()],
          importKey: config.api.importKey?.reveal(),
        }),
        identify: callers.identifyOperator,
        createdStatus: config.api.createdStatus,
      },
      api: hasAdmin ? undefined : api,
    }),
    beforeIssue: (call, issued) => operations.issuedKeys.issued(call, issued),
    checks: checksOf(config, callers),
    maxConcurrent: config.limits.concurrentRequests,
  })
  const admin = new RequestHandler({
    ...shared,
    routes: operationRoutes({ isReady, metrics: { render, admit: () => undefined }, api }),
    checks: config.admin !== undefined && isLoopbackAddress(config.admin.host) ? [requireLocalCall] : [],
  })
  metrics.watchQueue('requestsInFlight', () => main.underWay)
  return { main: (request) => main.handle(request), admin: (request) => admin.handle(request) }
}

function apiOptions({ config, callers, keyProvider, version }: RequestHandlersOptions): ApiOptions {
  const { management, sweeper } = keyProvider.operations
  const retention = { default: config.retention.default, classes: retentionClasses(config.retention) }
  const world = { management, sweeper, retention, importKey: config.api.importKey?.reveal() }
  return { world, identify: callers.identifyOperator, version }
}

/** Undefined: players get no keys. */
function playerOptions({ config, callers, keyProvider }: RequestHandlersOptions): PlayerRouteOptions | undefined {
  if (!servesPlayers(config, callers)) return undefined
  return playerRouteOptions(keyProvider, config)
}

/** Whether players get keys: as the configuration says; if it does not say, while no clients are configured. */
export function servesPlayers({ playback }: Config, { access }: Pick<Callers, 'access'>): boolean {
  return playback.isAccessSet ? playback.access.kind !== 'off' : access !== 'clients'
}

/** Undefined: no packager can use the Widevine key API. */
function widevineOptions({ config, callers, keyProvider }: RequestHandlersOptions): WidevineRouteOptions | undefined {
  if (!callers.servesWidevine) return undefined
  const { contentKeys } = keyProvider
  const profileFor = profileFinder(config, callers)
  return {
    widevine: new WidevineAnswerer({
      contentKeys,
      authenticate: (name, request, signature) => callers.authenticateSigner(name, request, signature),
      settingsFor: ({ contentId }, client) => profileFor({ client, contentId }).settings.widevine,
      record: (entries) => keyProvider.record(entries),
    }),
  }
}

const PLAYER_ROUTES: readonly (RouteName | undefined)[] = ['key', 'clearKeyLicense']

/** On a private listener, only programs on this machine are served what needs no credential. */
function checksOf({ isPrivate, playback }: Config, { access }: Callers): readonly CallCheck[] {
  if (access === 'private') return [requireLocalCall]
  if (access === 'anonymous' || !isPrivate || playback.access.kind !== 'open') return []
  return [(call, route) => (PLAYER_ROUTES.includes(route) ? requireLocalCall(call) : undefined)]
}
