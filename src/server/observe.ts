import { AuthenticationError, ForbiddenError } from '../auth/failure.ts'
import { KeyProviderError } from '../errors.ts'
import type { Call } from '../http/call.ts'
import { RateLimitedError } from '../http/errors.ts'
import type { Route, RouteReply } from '../http/route.ts'
import type { Observe } from '../http/routes.ts'
import { SpekeError } from '../speke/error.ts'
import { type Log, type LogFields, toLoggedError } from './log.ts'
import type { Metrics, SpekeVersionLabel } from './metrics.ts'

export interface ObserveOptions {
  readonly log: Log
  readonly metrics: Metrics
  /** A line for each request, not only for refusals and first issues. */
  readonly logRequests: boolean
}

/** Counts every call, and logs refusals, failures and the first issue of a content. */
export function observeWith({ log, metrics, logRequests }: ObserveOptions): Observe {
  return (call, route, reply, error, durationMs) => {
    const { status, issued } = reply
    const version = route?.name === 'copyProtection' ? versionLabel(call) : 'none'
    metrics.request(route?.name ?? 'none', version, status, durationMs)
    if (route?.pathVersion !== undefined && version !== route.pathVersion) metrics.pathVersionMismatch()
    if (issued !== undefined) metrics.issued(issued.keys, issued.first)
    if (error !== undefined) {
      metrics.refusal(error instanceof KeyProviderError ? error.code : 'UNFORESEEN')
      logFailure(log, call, route, reply, error, durationMs)
    } else if (logRequests || issued?.first === true) {
      const { requestId, peer } = call
      const ms = Math.round(durationMs * 1_000) / 1_000
      log.info(
        { requestId, route: route?.name, status, peer, ...issued, ms },
        issued?.first === true ? 'first keys of a content issued' : 'answered',
      )
    }
  }
}

function logFailure(
  log: Log,
  { requestId, peer }: Call,
  route: Route | undefined,
  { status }: RouteReply,
  error: unknown,
  durationMs: number,
): void {
  const fields = { requestId, route: route?.name, status, peer, ms: Math.round(durationMs * 1_000) / 1_000 }
  if (status < 500 && error instanceof KeyProviderError) {
    log.warn({ ...fields, ...whoAndWhy(error), code: error.code, problem: error.message }, 'refused')
  } else {
    log.error({ ...fields, error: toLoggedError(error) }, 'failed')
  }
}

/** What the caller is not told. */
function whoAndWhy(error: KeyProviderError): Pick<LogFields, 'client' | 'detail'> {
  if (error instanceof SpekeError) return { detail: error.detail }
  if (error instanceof AuthenticationError) {
    return { detail: error.method === undefined ? error.reason : `${error.method}: ${error.reason}` }
  }
  if (error instanceof ForbiddenError || error instanceof RateLimitedError) return { client: error.client }
  return {}
}

const VERSIONS: readonly SpekeVersionLabel[] = ['1.0', '2.0', '2.1']

/** A closed set: what a caller sends must not become a label. */
function versionLabel({ headers }: Call): SpekeVersionLabel {
  const version = headers['x-speke-version'] ?? '1.0'
  return VERSIONS.find((known) => known === version) ?? 'other'
}
