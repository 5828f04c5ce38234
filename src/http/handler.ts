import { KeyProviderError } from '../core/errors.ts'
import { BodyBudget, Call, type CallOptions } from './call.ts'
import { MethodNotAllowedError, toReply } from './errors.ts'
import type { ProxyTrust } from './listener/proxy-trust.ts'
import { type IncomingRequest, type Reply, RequestAbortedError } from './request.ts'
import type { Issued, Route, RouteName, RouteReply } from './route.ts'
import { allowedMethods, answersMethod, type FoundRoute, Router } from './router.ts'

/** A check before the route: it throws for a call that is not served. `route` is undefined if the path has none. */
export type CallCheck = (call: Call, route?: RouteName) => void

/** Receives every call when its reply is made. `route` is undefined if the path has none. */
export type Observe = (
  call: Call,
  route: Route | undefined,
  reply: RouteReply,
  error: unknown,
  durationMs: number,
) => void

export interface HandlerOptions {
  readonly routes: readonly Route[]
  /** Checks of every call, before its route. */
  readonly checks: readonly CallCheck[]
  readonly proxies: ProxyTrust
  /** How many calls may be under way, those whose body is still being read included. */
  readonly maxConcurrent?: number
  /** The size limit of a body, in bytes, for routes without their own. */
  readonly maxBodyBytes: number
  readonly observe: Observe
  /** Records the keys of a reply before it leaves. Undefined: it may leave at once. If it rejects, no key leaves. */
  readonly beforeIssue?: (call: Call, issued: Issued) => Promise<void> | undefined
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number
}

/** All bodies in flight together may use at least this many bytes, and always two bodies of the maximum size. */
const BODIES_IN_FLIGHT = 32 * 1024 * 1024
/** Nobody reads it: the sender has left. */
const ABORTED: Reply = { status: 499, headers: {}, body: '' }

/** Answers calls of one listener: checks, route, reply, record. Errors become replies here and nowhere else. */
export class RequestHandler {
  readonly #options: HandlerOptions
  readonly #router: Router
  readonly #budget: BodyBudget
  #underWay = 0

  constructor(options: HandlerOptions) {
    this.#options = options
    this.#router = new Router(options.routes)
    this.#budget = new BodyBudget(Math.max(BODIES_IN_FLIGHT, 2 * options.maxBodyBytes))
  }

  /** How many calls are under way. */
  get underWay(): number {
    return this.#underWay
  }

  /** Answers one request. Never throws. */
  async handle(request: IncomingRequest): Promise<Reply> {
    const { now, observe } = this.#options
    const startedAt = now()
    const found = this.#router.find(request.routePath ?? request.rawPath, request.method)
    const route = found?.route
    const call = new Call(request, this.#callOptions(route))
    let reply: RouteReply
    let failure: unknown
    this.#underWay++
    try {
      reply = await this.#answer(call, found)
      failure = reply.failure
      const recorded = reply.issued && this.#options.beforeIssue?.(call, reply.issued)
      if (recorded !== undefined) await recorded
    } catch (error) {
      if (error instanceof RequestAbortedError) return ABORTED
      failure = error
      reply = replyTo(error, call, route)
    } finally {
      this.#underWay--
      call.release()
    }
    observe(call, route, reply, failure, now() - startedAt - call.readingMs)
    return reply
  }

  /** Judges the head: checks, path, method, load. Then the route judges credentials and media type, and reads the body. */
  #answer(call: Call, found: FoundRoute | undefined): Promise<RouteReply> | RouteReply {
    const { checks, maxConcurrent = Number.POSITIVE_INFINITY } = this.#options
    for (const check of checks) check(call, found?.route.name)
    if (found === undefined) throw pathNotFound()
    const { route, segments } = found
    if (call.method === 'OPTIONS' && route.preflight !== undefined) return route.preflight(call)
    if (!answersMethod(route, call.method)) throw new MethodNotAllowedError(allowedMethods(found))
    if (this.#underWay > maxConcurrent && route.answersUnderLoad !== true) {
      throw new KeyProviderError('ERR_OVERLOADED', `${maxConcurrent} requests are under way: try again`)
    }
    return route.handle(call, segments)
  }

  #callOptions(route: Route | undefined): CallOptions {
    const { proxies, maxBodyBytes, now } = this.#options
    const limit = Math.min(route?.maxBodyBytes ?? maxBodyBytes, maxBodyBytes)
    return { proxies, budget: this.#budget, now, maxBodyBytes: limit }
  }
}

function replyTo(error: unknown, call: Call, route: Route | undefined): RouteReply {
  const refusal = route?.refuse?.(call, error) ?? toReply(error)
  return { ...refusal, headers: { ...route?.headers?.(call), ...refusal.headers } }
}

function pathNotFound(): KeyProviderError {
  return new KeyProviderError(
    'ERR_ROUTE_NOT_FOUND',
    'nothing is served at this path: SPEKE requests go to POST /copyProtection',
  )
}
