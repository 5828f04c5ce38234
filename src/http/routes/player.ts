import type { RateLimit } from '../../auth/rate-limit.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { type AccessControl, AccessError, type AccessRequest, allowedKids } from '../../protocols/playback/access.ts'
import type { Cors } from '../../protocols/playback/cors.ts'
import { keyNotFound } from '../../protocols/playback/key-delivery.ts'
import { fromUrlSegment } from '../../protocols/speke/urls.ts'
import type { Call, Reply } from '../call.ts'
import { RateLimitedError } from '../errors.ts'
import type { Route } from '../route.ts'

/** What every route that serves players is made from. */
export interface PlayerOptions {
  readonly access: AccessControl
  readonly cors: Cors
  /** Where a token may be, besides `Authorization: Bearer`. */
  readonly token: TokenPlaces
  /** How often one subject may ask, or one address where nobody is named. */
  readonly limit?: RateLimit
  /** The address of the player: that of the peer, or what a trusted proxy says. */
  readonly addressOf: (call: Call) => string
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export interface TokenPlaces {
  /** The name of a cookie: native HLS players send nothing else. */
  readonly cookie?: string
  /** The name of a query parameter. */
  readonly query?: string
}

/** What a player may have of what it asked for. Throws an AccessError or a RateLimitedError. */
export type Admit = (call: Call, ref: ContentRef, kids: readonly Kid[]) => Promise<readonly Kid[]>

/** Asks the access control about a call, and counts the call: for its subject, or for its address where nobody is named. */
export function admission(what: AccessRequest['what'], options: PlayerOptions): Admit {
  const { access, token, limit, addressOf, now } = options
  const count = (subject: string): void => {
    const wait = limit?.take(subject)
    if (wait !== undefined) throw new RateLimitedError(wait)
  }
  return async (call, ref, kids) => {
    const query = queryOf(call)
    const request: AccessRequest = {
      ...ref,
      what,
      kids,
      token: tokenOf(call, query, token),
      query,
      ip: addressOf(call),
      userAgent: call.headers['user-agent'] ?? '',
      now: now(),
    }
    try {
      const { kids: allowed, subject } = await allowedKids(access, request)
      count(subject === undefined ? `ip ${request.ip}` : `subject ${ref.tenant} ${subject}`)
      return allowed
    } catch (error) {
      // Counted apart: players behind one address must not suffer for one that guesses tokens.
      if (error instanceof AccessError) count(`refused ${request.ip}`)
      throw error
    }
  }
}

/** The headers of every reply to a player, and the answer to a preflight. */
export function crossOrigin(cors: Cors, method: Route['method']): Pick<Route, 'headers' | 'preflight'> {
  const allow = method === 'GET' ? 'GET, HEAD' : method
  return {
    headers: (call) => cors.headers(originOf(call)),
    preflight: (call): Reply => ({ status: 200, headers: cors.preflight(originOf(call), allow), body: '' }),
  }
}

/** The content that two segments of a path name. What names none does not exist. */
export function contentOf(tenantSegment = '', contentSegment = ''): ContentRef {
  const tenant = fromUrlSegment(tenantSegment)
  const contentId = fromUrlSegment(contentSegment)
  if (tenant === undefined || contentId === undefined) throw keyNotFound()
  return { tenant, contentId }
}

/** Headers of a reply with keys in it, besides those of CORS. */
export const KEY_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }

function originOf({ headers }: Call): string | undefined {
  return headers.origin
}

const NO_QUERY = new URLSearchParams()

function queryOf({ rawPath }: Call): URLSearchParams {
  const at = rawPath.indexOf('?')
  return at < 0 ? NO_QUERY : new URLSearchParams(rawPath.slice(at + 1))
}

/** The token of a call: the header counts before the query, the query before the cookie, which comes unasked. */
function tokenOf({ headers }: Call, query: URLSearchParams, places: TokenPlaces): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1]
  if (bearer !== undefined) return bearer
  const inQuery = places.query === undefined ? null : query.get(places.query)
  if (inQuery !== null) return inQuery
  return places.cookie === undefined ? undefined : cookieOf(headers.cookie, places.cookie)
}

/** The value of a cookie. @see RFC 6265, 4.2 */
function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return undefined
}
