import { KeyProviderError } from '../../core/errors.ts'
import type { Call, Handler } from '../call.ts'
import { MethodNotAllowedError, toReply } from '../errors.ts'
import type { CallCheck } from '../listener/loopback.ts'
import type { Issued, Route, RouteName, RouteReply } from '../route.ts'
import { type ApiOptions, apiRoutes } from './api.ts'
import { type ClearKeyLicenseRouteOptions, clearKeyLicense } from './clearkey-license.ts'
import { type CopyProtectionOptions, copyProtection } from './copy-protection.ts'
import { type CopyProtectionDataOptions, copyProtectionData } from './copy-protection-data.ts'
import { livez, readyz } from './health.ts'
import { heartbeat } from './heartbeat.ts'
import { type MetricsOptions, metrics } from './metrics.ts'
import { type KeyRouteOptions, key } from './player-keys.ts'
import { type WidevineRouteOptions, widevineContentKey } from './widevine.ts'

export interface RouteOptions extends CopyProtectionOptions {
  /** More paths under which `/copyProtection` and `/heartbeat` are served. */
  readonly basePaths: readonly string[]
  readonly isReady: () => Promise<boolean>
  /** Undefined where metrics are served by a listener of their own. */
  readonly metrics: MetricsOptions | undefined
  /** What players are served from; undefined: no key URLs and no licences. */
  readonly player?: KeyRouteOptions & ClearKeyLicenseRouteOptions
  /** What packagers with the Widevine key API are served from; undefined: that API is not served. */
  readonly widevine?: WidevineRouteOptions
  /** What CPIX documents are exchanged with; undefined: they are not. */
  readonly transfer?: CopyProtectionDataOptions
  /** What operators are served from; undefined where that is not here. */
  readonly api?: ApiOptions | undefined
}

/** What is told of a call when its reply is made. `route` is undefined where there is none. */
export type Observe = (
  call: Call,
  route: Route | undefined,
  reply: RouteReply,
  error: unknown,
  durationMs: number,
) => void

export interface HandlerOptions {
  readonly routes: readonly Route[]
  /** Go before the route: who may call at all. */
  readonly checks: readonly CallCheck[]
  /** How many calls may be under way, those of operations apart. */
  readonly maxConcurrent?: number
  readonly observe: Observe
  /** Told of the keys in a reply before it leaves; undefined: it may leave at once. Where it rejects nothing does. */
  readonly beforeIssue?: (call: Call, issued: Issued) => Promise<void> | undefined
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

/** They say how the server is: while it is overloaded, too. */
const OF_OPERATIONS: readonly RouteName[] = ['livez', 'readyz', 'metrics']

/** The SPEKE version each of our own paths names; every path takes every version. @see speke.md 2.1 */
const BASE_PATHS: readonly { readonly base: string; readonly pathVersion?: string }[] = [
  { base: '' },
  { base: '/speke/v1.0', pathVersion: '1.0' },
  { base: '/speke/v2.0', pathVersion: '2.0' },
  { base: '/speke/v2.1', pathVersion: '2.1' },
  { base: '/EkeStage' },
]

/** Every route there is. */
export function routes(options: RouteOptions): readonly Route[] {
  const { player, widevine, transfer } = options
  const answering = copyProtection(options)
  const beating = heartbeat(options.userAgent)
  const bases = [...BASE_PATHS, ...options.basePaths.map((path) => ({ base: toBasePath(path) }))]
  return [
    ...bases.map(({ base, ...named }) => ({ ...answering, ...named, path: `${base}/copyProtection` })),
    ...bases.map(({ base }) => ({ ...beating, path: `${base}/heartbeat` })),
    ...operationRoutes(options),
    ...(player === undefined ? [] : [key(player), clearKeyLicense(player)]),
    ...(widevine === undefined ? [] : [widevineContentKey(widevine)]),
    ...(transfer === undefined ? [] : copyProtectionData(transfer)),
  ]
}

/** What is for operators: how the server is, its numbers, and the management API. */
export function operationRoutes(options: Pick<RouteOptions, 'isReady' | 'metrics' | 'api'>): readonly Route[] {
  return [
    livez,
    readyz(options.isReady),
    ...(options.metrics === undefined ? [] : [metrics(options.metrics)]),
    ...(options.api === undefined ? [] : apiRoutes(options.api)),
  ]
}

/** One handler for all routes: the checks, the route, its reply; a failure becomes a reply here and nowhere else. */
export function createHandler(options: HandlerOptions): Handler {
  const { checks, maxConcurrent = Number.POSITIVE_INFINITY, observe, beforeIssue, now } = options
  let underWay = 0
  const findRoute = routeFinder(options.routes)

  const begin = (call: Call, found: FoundRoute | undefined): Promise<RouteReply> | RouteReply => {
    for (const check of checks) check(call, found?.route.name)
    if (found === undefined) {
      throw new KeyProviderError(
        'ERR_ROUTE_NOT_FOUND',
        'nothing is served at this path: SPEKE requests go to POST /copyProtection',
      )
    }
    const { route, segments, others } = found
    if (call.method === 'OPTIONS' && route.preflight !== undefined) return route.preflight(call)
    if (!serves(route, call.method)) throw new MethodNotAllowedError(allowedMethods(route, others))
    if (call.fault !== undefined) throw call.fault
    if (underWay > maxConcurrent && !OF_OPERATIONS.includes(route.name)) {
      throw new KeyProviderError('ERR_OVERLOADED', `${maxConcurrent} requests are under way: try again`)
    }
    return route.handle(call, segments)
  }

  return async (call) => {
    const startedAt = now()
    const found = findRoute(call.routePath ?? call.rawPath, call.method)
    const route = found?.route
    let reply: RouteReply
    let failure: unknown
    underWay++
    try {
      reply = await begin(call, found)
      failure = reply.failure
      const recording = reply.issued && beforeIssue?.(call, reply.issued)
      if (recording !== undefined) await recording
    } catch (error) {
      failure = error
      const refusal = route?.refuse?.(call, error) ?? toReply(error)
      reply = { ...refusal, headers: { ...route?.headers?.(call), ...refusal.headers } }
    } finally {
      underWay--
    }
    observe(call, route, reply, failure, now() - startedAt)
    return reply
  }
}

interface FoundRoute {
  readonly route: Route
  readonly segments: readonly string[]
  /** What else is served at this path, by other methods. */
  readonly others: readonly Route[]
}

/** Finds the route of a path and method, or one of its path. A path that is in the table as it stands, the usual case, costs one look. */
function routeFinder(routes: readonly Route[]): (rawPath: string, method: string) => FoundRoute | undefined {
  const exact = new Map<string, FoundRoute>()
  const patterns: { readonly prefix: string; readonly count: number; readonly at: Omit<FoundRoute, 'segments'> }[] = []
  for (const [path, [route, ...others]] of Map.groupBy(routes, ({ path }) => path)) {
    if (route === undefined) continue
    if (!path.includes('{')) exact.set(path, { route, segments: [], others })
    else patterns.push({ prefix: path.slice(0, path.indexOf('{')), count: countSegments(path), at: { route, others } })
  }

  const findPattern = (path: string): FoundRoute | undefined => {
    for (const { prefix, count, at } of patterns) {
      if (!path.startsWith(prefix)) continue
      const segments = path.slice(prefix.length).split('/')
      if (segments.length === count || count === ANY_NUMBER) return { ...at, segments }
    }
    return undefined
  }

  return (rawPath, method) => {
    const asItStands = exact.get(rawPath)
    if (asItStands !== undefined) return ofMethod(asItStands, method)
    const path = toPath(rawPath)
    const found = exact.get(path) ?? findPattern(path)
    return found && ofMethod(found, method)
  }
}

/** What is found at a path, for a method: the route that serves it, else the first. */
function ofMethod(found: FoundRoute, method: string): FoundRoute {
  if (found.others.length === 0 || serves(found.route, method)) return found
  const route = found.others.find((other) => serves(other, method))
  return route === undefined ? found : { ...found, route }
}

function serves({ method }: Route, asked: string): boolean {
  return method === 'any' || asked === method || (asked === 'HEAD' && method === 'GET')
}

function allowedMethods({ method, preflight }: Route, others: readonly Route[]): string {
  const methods = [method, ...others.map((other) => other.method)].map((one) => (one === 'GET' ? 'GET, HEAD' : one))
  return [...methods, ...(preflight === undefined ? [] : ['OPTIONS'])].join(', ')
}

const ANY_NUMBER = -1

function countSegments(pattern: string): number {
  if (pattern.endsWith('{...}')) return ANY_NUMBER
  return pattern.split('{').length - 1
}

/** The path as the table has it: no query, no trailing slash, no origin. @see RFC 9112, 3.2.2 (absolute-form) */
function toPath(rawPath: string): string {
  const path = rawPath.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
}

function toBasePath(path: string): string {
  const bare = path.replace(/^\/+|\/+$/g, '')
  return bare === '' ? '' : `/${bare}`
}
