import { RateLimitedError } from '../../auth/failure.ts'
import type { RateLimit } from '../../auth/rate-limit.ts'
import { type Kid, toKid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { type AccessControl, AccessError, type AccessRequest, allowedKids } from '../../protocols/playback/access.ts'
import { MAX_LICENSE_REQUEST_BYTES, readLicenseRequest } from '../../protocols/playback/clearkey-license.ts'
import type { Cors } from '../../protocols/playback/cors.ts'
import { keyNotFound, type PlayerKeys } from '../../protocols/playback/player-keys.ts'
import { fromUrlSegment } from '../../protocols/speke/urls.ts'
import type { Call } from '../call.ts'
import type { Reply } from '../request.ts'
import type { Route } from '../route.ts'

/** What every route for players needs. */
export interface PlayerOptions {
  readonly access: AccessControl
  readonly cors: Cors
  /** Where a token may be, besides `Authorization: Bearer`. */
  readonly token: {
    /** The name of a cookie: native HLS players send nothing else. */
    readonly cookie?: string
    /** The name of a query parameter. */
    readonly query?: string
  }
  /** The limit of one subject, or of one address if no subject is named. */
  readonly limit?: RateLimit
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export interface PlayerRouteOptions extends PlayerOptions {
  readonly keys: Pick<PlayerKeys, 'deliver' | 'license'>
}

/** One content key, 16 raw bytes, for HLS AES-128 and identity SAMPLE-AES. @see RFC 8216, 5 */
export function playerKey({ keys, ...player }: PlayerRouteOptions): Route {
  const admission = new Admission('key', player)
  return {
    name: 'key',
    path: '/keys/{tenant}/{content}/{kid}',
    method: 'GET',
    ...crossOrigin(player.cors, 'GET'),
    async handle(call, [tenant, content, kidSegment = '']) {
      const kid = toKid(kidSegment)
      if (kid === undefined) throw keyNotFound()
      const ref = contentOf(tenant, content)
      await admission.admit(call, ref, [kid])
      return keyReply(call, player.cors, 'application/octet-stream', await keys.deliver(ref, kid))
    },
  }
}

/**
 * A licence of the Clear Key system of EME, for the requested keys that the player may have. The Content-Type is ignored:
 * most players send none. @see https://www.w3.org/TR/encrypted-media-2/#clear-key
 */
export function clearKeyLicense({ keys, ...player }: PlayerRouteOptions): Route {
  const admission = new Admission('license', player)
  return {
    name: 'clearKeyLicense',
    path: '/license/clearkey/{tenant}/{content}',
    method: 'POST',
    maxBodyBytes: MAX_LICENSE_REQUEST_BYTES,
    ...crossOrigin(player.cors, 'POST'),
    async handle(call, [tenant, content]) {
      const ref = contentOf(tenant, content)
      const { kids, type } = readLicenseRequest(await call.body('stranger'))
      const allowed = await admission.admit(call, ref, kids)
      return keyReply(call, player.cors, 'application/json', await keys.license(ref, allowed, type))
    },
  }
}

/** Asks the access control about calls, and counts them: for their subject, or for their address if no subject is named. */
class Admission {
  readonly #what: AccessRequest['what']
  readonly #options: PlayerOptions

  constructor(what: AccessRequest['what'], options: PlayerOptions) {
    this.#what = what
    this.#options = options
  }

  /** Those of `kids` that the player may have. Rejects with AccessError, RateLimitedError or ERR_OVERLOADED. */
  async admit(call: Call, ref: ContentRef, kids: readonly Kid[]): Promise<readonly Kid[]> {
    const { access, token, now } = this.#options
    const query = queryOf(call)
    const request: AccessRequest = {
      ...ref,
      what: this.#what,
      kids,
      token: tokenOf(call, query, token),
      query,
      ip: call.address,
      userAgent: call.headers['user-agent'] ?? '',
      now: now(),
    }
    try {
      const { kids: allowed, subject } = await allowedKids(access, request, () => this.#checkAddress(request))
      this.#count(subject === undefined ? `ip ${request.ip}` : `subject ${ref.tenant} ${subject}`)
      return allowed
    } catch (error) {
      // Counted separately: players behind one address must not suffer from one that guesses tokens.
      if (error instanceof AccessError) this.#count(`refused ${request.ip}`)
      throw error
    }
  }

  /** Before a service is asked: an address that was refused too often costs no more than two look-ups. */
  #checkAddress({ ip, token }: AccessRequest): void {
    const { limit } = this.#options
    const wait = limit?.peek(`refused ${ip}`) ?? (token === undefined ? limit?.peek(`ip ${ip}`) : undefined)
    if (wait !== undefined) throw new RateLimitedError(wait)
  }

  #count(name: string): void {
    const wait = this.#options.limit?.take(name)
    if (wait !== undefined) throw new RateLimitedError(wait)
  }
}

/** The headers of every reply to a player, and the answer to a preflight. */
function crossOrigin(cors: Cors, method: Route['method']): Pick<Route, 'headers' | 'preflight'> {
  const allow = method === 'GET' ? 'GET, HEAD' : method
  return {
    headers: (call) => corsHeaders(call, cors),
    preflight: (call): Reply => {
      corsHeaders(call, cors)
      return { status: 200, headers: cors.preflight(call.headers.origin, allow), body: '' }
    },
  }
}

/** What of an origin is safe and useful to log. */
const ORIGIN = /^[a-z][a-z0-9+.-]{0,15}:\/\/[A-Za-z0-9.:[\]-]{1,255}$/

/** The CORS headers of a reply. A page that may not read it leaves a warning: browsers show such replies as network errors. */
function corsHeaders(call: Call, cors: Cors): Readonly<Record<string, string>> {
  const { origin } = call.headers
  const headers = cors.headers(origin)
  if (origin !== undefined && headers['access-control-allow-origin'] === undefined && ORIGIN.test(origin)) {
    call.warning = `pages of ${origin} cannot read this answer: add the origin to playback.origins if the player is yours`
  }
  return headers
}

function keyReply(call: Call, cors: Cors, contentType: string, body: Reply['body']): Reply {
  const headers = { ...corsHeaders(call, cors), 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
  return { status: 200, headers: { ...headers, 'content-type': contentType }, body }
}

/** The content that two segments of a path name. Throws ERR_KEY_NOT_FOUND for names that no content can have, such as long ones. */
function contentOf(tenantSegment = '', contentSegment = ''): ContentRef {
  const tenant = fromUrlSegment(tenantSegment)
  const contentId = fromUrlSegment(contentSegment)
  if (tenant === undefined || contentId === undefined) throw keyNotFound()
  return { tenant, contentId }
}

const NO_QUERY = new URLSearchParams()

function queryOf({ rawPath }: Call): URLSearchParams {
  const at = rawPath.indexOf('?')
  return at < 0 ? NO_QUERY : new URLSearchParams(rawPath.slice(at + 1))
}

/** The token of a call: from the header, else from the query, else from the cookie, which browsers send unasked. */
function tokenOf({ headers }: Call, query: URLSearchParams, places: PlayerOptions['token']): string | undefined {
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
