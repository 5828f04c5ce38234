import { KeyProviderError } from '../errors.ts'
import type { Call, Handler } from './call.ts'
import { type CopyProtectionOptions, copyProtection } from './copy-protection.ts'
import { MethodNotAllowedError, toReply } from './errors.ts'
import { livez, readyz } from './health.ts'
import { heartbeat } from './heartbeat.ts'
import type { Check } from './loopback.ts'
import { metrics, type RenderMetrics } from './metrics.ts'
import type { Route, RouteReply } from './route.ts'

export interface RouteOptions extends CopyProtectionOptions {
  /** More paths under which `/copyProtection` and `/heartbeat` are served. */
  readonly basePaths: readonly string[]
  readonly isReady: () => Promise<boolean>
  readonly renderMetrics: RenderMetrics
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
  readonly checks: readonly Check[]
  readonly observe: Observe
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

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
  const answering = copyProtection(options)
  const beating = heartbeat(options.userAgent)
  const bases = [...BASE_PATHS, ...options.basePaths.map((path) => ({ base: toBasePath(path) }))]
  return [
    ...bases.map(({ base, ...named }) => ({ ...answering, ...named, path: `${base}/copyProtection` })),
    ...bases.map(({ base }) => ({ ...beating, path: `${base}/heartbeat` })),
    livez,
    readyz(options.isReady),
    metrics(options.renderMetrics),
  ]
}

/** One handler for all routes: the checks, the route, its reply; a failure becomes a reply here and nowhere else. */
export function createHandler(options: HandlerOptions): Handler {
  const { checks, observe, now } = options
  const byPath = new Map(options.routes.map((route) => [route.path, route]))

  const begin = (call: Call, route: Route | undefined): Promise<RouteReply> | RouteReply => {
    for (const check of checks) check(call)
    if (route === undefined) {
      throw new KeyProviderError(
        'ERR_ROUTE_NOT_FOUND',
        'nothing is served at this path: SPEKE requests go to POST /copyProtection',
      )
    }
    if (call.method !== route.method && !(call.method === 'HEAD' && route.method === 'GET')) {
      throw new MethodNotAllowedError(route.method === 'GET' ? 'GET, HEAD' : route.method)
    }
    if (call.fault !== undefined) throw call.fault
    return route.handle(call)
  }

  return async (call) => {
    const startedAt = now()
    const route = byPath.get(call.rawPath) ?? byPath.get(toPath(call.rawPath))
    let reply: RouteReply
    let failure: unknown
    try {
      reply = await begin(call, route)
    } catch (error) {
      failure = error
      const refusal = toReply(error)
      reply = { ...refusal, headers: { ...route?.headers?.(call), ...refusal.headers } }
    }
    observe(call, route, reply, failure, now() - startedAt)
    return reply
  }
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
