import { AuthenticationError, ForbiddenError, RateLimitedError } from '../../auth/failure.ts'
import { RateLimit } from '../../auth/rate-limit.ts'
import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'
import type { Call } from '../../http/call.ts'
import type { Observe } from '../../http/handler.ts'
import type { Route, RouteReply } from '../../http/route.ts'
import { AccessError } from '../../protocols/playback/access.ts'
import { SpekeError } from '../../protocols/speke/error.ts'
import { type Log, type LogFields, toLoggedError } from './log.ts'
import { LogSamples } from './log-samples.ts'
import { codeLabel } from './measured.ts'
import type { Metrics, SpekeVersionLabel } from './metrics.ts'

interface RequestObserverOptions {
  readonly log: Log
  readonly metrics: Metrics
  /** Log each request, not only rejected ones and first keys. */
  readonly logRequests: boolean
}

/** Counts every call. Logs rejected and failed calls, and the first keys of a content. */
export class RequestObserver {
  readonly #options: RequestObserverOptions
  readonly #warnings: Warnings
  readonly #samples = new LogSamples(() => performance.now())

  constructor(options: RequestObserverOptions) {
    this.#options = options
    this.#warnings = new Warnings(options.log)
  }

  readonly observe: Observe = (call, route, reply, error, durationMs) => {
    const { log, metrics, logRequests } = this.#options
    const { status, issued } = reply
    const version = route?.name === 'copyProtection' ? versionLabel(call) : 'none'
    metrics.request(route?.name ?? 'none', version, status, durationMs)
    if (call.bodyBytes > 0) metrics.requestBytes(route?.name ?? 'none', call.bodyBytes)
    const kind = PLAYER_ROUTES[route?.name ?? '']
    if (kind !== undefined && call.method !== 'OPTIONS') metrics.playerRequest(kind, playerOutcome(status, error))
    if (route?.pathVersion !== undefined && version !== route.pathVersion) metrics.pathVersionMismatch()
    if (issued !== undefined) metrics.issued(issued.keys, issued.first)
    if (call.warning !== undefined) this.#warnings.log(call, call.warning)
    if (error !== undefined) {
      metrics.refusal(codeLabel(error))
      countRejectedCaller(metrics, error, kind !== undefined)
      const suppressed = logRequests ? 0 : this.#samples.take(`${call.address} ${codeLabel(error)}`)
      if (suppressed === undefined) return
      logFailure(log, call, route, reply, error, durationMs, suppressed)
    } else if (logRequests || issued?.first === true) {
      const { requestId, peer } = call
      log.info(
        { requestId, route: route?.name, status, peer, ...toLogged(issued), ms: roundedMs(durationMs) },
        issued?.first === true ? 'first keys of a content issued' : 'answered',
      )
    }
  }
}

/** Logs the warnings of calls, each text once in ten minutes: any page can cause one, with a name of its own. */
class Warnings {
  readonly #log: Log
  readonly #ofText = new RateLimit({ perSecond: 1 / 600, burst: 1, now: () => performance.now(), maxBuckets: 100 })
  readonly #ofAll = new RateLimit({ perSecond: 1, burst: 20, now: () => performance.now() })

  constructor(log: Log) {
    this.#log = log
  }

  log({ requestId, peer }: Call, problem: string): void {
    if (this.#ofText.take(problem) !== undefined || this.#ofAll.take('all') !== undefined) return
    this.#log.warn({ requestId, peer, problem }, 'answered with a warning')
  }
}

function roundedMs(durationMs: number): number {
  return Math.round(durationMs * 1_000) / 1_000
}

function toLogged(issued: RouteReply['issued']): Pick<LogFields, 'tenant' | 'client' | 'contentId' | 'keys' | 'first'> {
  if (issued === undefined) return {}
  const { tenant, client, contentId, keys, first } = issued
  return { tenant, client, contentId, keys, first }
}

/** What players request, by route. */
const PLAYER_ROUTES: Readonly<Record<string, 'key' | 'license' | undefined>> = {
  key: 'key',
  clearKeyLicense: 'license',
}

/** The results of player requests, besides the reasons of access control. */
const PLAYER_OUTCOMES: Partial<Record<ErrorCode, string>> = {
  ERR_KEY_NOT_FOUND: 'not-found',
  ERR_KEY_GUARDS_DRM: 'guards-drm',
  ERR_CONTENT_EXPIRED: 'expired',
  ERR_CONTENT_GONE: 'gone',
  ERR_RATE_LIMITED: 'rate-limited',
}

function playerOutcome(status: number, error: unknown): string {
  if (error === undefined) return 'served'
  if (error instanceof AccessError) return error.reason
  const known = error instanceof KeyProviderError ? PLAYER_OUTCOMES[error.code] : undefined
  return known ?? (status >= 500 ? 'failed' : 'refused')
}

/** Counts a caller that was rejected, by the reason. */
function countRejectedCaller(metrics: Metrics, error: unknown, isPlayer: boolean): void {
  if (error instanceof AuthenticationError) metrics.authFailure(error.method ?? 'none', error.reason)
  else if (error instanceof ForbiddenError) metrics.forbidden(error.reason)
  else if (error instanceof RateLimitedError) metrics.rateLimited(isPlayer ? 'player' : 'client')
}

function logFailure(
  log: Log,
  { requestId, peer }: Call,
  route: Route | undefined,
  { status }: RouteReply,
  error: unknown,
  durationMs: number,
  suppressed: number,
): void {
  const counted = suppressed > 0 ? { suppressed } : {}
  const fields = { requestId, route: route?.name, status, peer, ms: roundedMs(durationMs), ...counted }
  if (status < 500 && error instanceof KeyProviderError) {
    log.warn({ ...fields, ...whoAndWhy(error), code: error.code, problem: error.message }, 'refused')
  } else {
    log.error({ ...fields, error: toLoggedError(error) }, 'failed')
  }
}

/** Details that the caller does not get. */
function whoAndWhy(error: KeyProviderError): Pick<LogFields, 'client' | 'detail'> {
  if (error instanceof SpekeError) return { detail: error.detail }
  if (error instanceof AuthenticationError) {
    return { detail: error.method === undefined ? error.reason : `${error.method}: ${error.reason}` }
  }
  if (error instanceof ForbiddenError || error instanceof RateLimitedError) return { client: error.client }
  return {}
}

const VERSIONS: readonly SpekeVersionLabel[] = ['1.0', '2.0', '2.1']

/** A label from a closed set: a value that a caller sends must not become a label. */
function versionLabel({ headers }: Call): SpekeVersionLabel {
  const version = headers['x-speke-version'] ?? '1.0'
  return VERSIONS.find((known) => known === version) ?? 'other'
}
