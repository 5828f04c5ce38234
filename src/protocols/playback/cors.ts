/** The origins whose pages may read answers: a list, or `*` for every page, without credentials. */
export type AllowedOrigins = '*' | readonly string[]

/** The headers by which a browser decides whether a page may read an answer. @see https://fetch.spec.whatwg.org/#http-cors-protocol */
export interface Cors {
  /** For every answer, errors included: a player that cannot read an error reports a network failure. */
  headers(origin: string | undefined): Readonly<Record<string, string>>
  /** For the answer to a preflight. `method` is what the route serves. */
  preflight(origin: string | undefined, method: string): Readonly<Record<string, string>>
}

/** The headers of players that need permission. dash.js sends both. */
const REQUEST_HEADERS = 'authorization, content-type'
/** The headers that pages may read. */
const RESPONSE_HEADERS = 'retry-after, x-request-id'
/** Chromium remembers a preflight no longer than two hours, Firefox a day. */
const MAX_AGE_SECONDS = '7200'

export function corsOf(origins: AllowedOrigins): Cors {
  // Caches must keep the answers to different pages apart, and those without an origin too.
  const other = { vary: 'Origin' }
  const everyone = { ...other, 'access-control-allow-origin': '*', 'access-control-expose-headers': RESPONSE_HEADERS }
  const known = new Map(origins === '*' ? [] : origins.map((origin) => [origin, credentialed(origin)]))
  const headers: Cors['headers'] = (origin) => {
    if (origins === '*') return everyone
    return (origin === undefined ? undefined : known.get(origin)) ?? other
  }
  return {
    headers,
    preflight(origin, method) {
      const allowed = headers(origin)
      if (allowed === other) return other
      return {
        ...allowed,
        'access-control-allow-methods': method,
        'access-control-allow-headers': REQUEST_HEADERS,
        'access-control-max-age': MAX_AGE_SECONDS,
      }
    },
  }
}

/** dash.js sends credentials with an Authorization header, and a browser takes no `*` for an answer then. */
function credentialed(origin: string): Readonly<Record<string, string>> {
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': RESPONSE_HEADERS,
  }
}
