import type { IncomingHttpHeaders } from 'node:http'
import { bodyTooLarge, type IncomingRequest, requestIdOf } from '../../http/request.ts'
import type { GatewayIdentity } from '../assemble/function.ts'
import type { EventRequest } from './event-kind.ts'

export interface ToCallOptions {
  readonly identity: GatewayIdentity
}

/** The request of an event as every runtime hands it over. */
export function toCall(request: EventRequest, { identity }: ToCallOptions): IncomingRequest {
  const headers = [...withoutIdentity(request.headers, identity), ...identityHeaders(request, identity)]
  const bytes = Buffer.from(request.body, request.isBase64 ? 'base64' : 'utf8')
  const joined = joinHeaders(headers)
  return {
    method: request.method,
    rawPath: request.rawPath,
    routePath: request.routePath,
    headers: joined,
    rawHeaders: headers.flat(),
    peer: request.peer,
    secure: request.secure,
    // Ids of gateways end with padding, or hold what a log should not.
    requestId: requestIdOf(joined['x-request-id'] ?? request.requestId?.replace(/^Root=|=+$/g, '')),
    async readBody(maxBytes, onBytes) {
      if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes)
      onBytes(bytes.length)
      return bytes
    },
  }
}

type Headers = EventRequest['headers']

/** What only the gateway may say, and a caller said. */
function withoutIdentity(headers: Headers, { secretHeader, arnHeader, accountHeader }: GatewayIdentity): Headers {
  const ours = new Set([secretHeader, arnHeader, accountHeader])
  return headers.filter(([name]) => !ours.has(name.toLowerCase()))
}

/** The event itself is the proof: nobody but the gateway can invoke the function with it. */
function identityHeaders({ caller }: EventRequest, identity: GatewayIdentity): Headers {
  if (caller === undefined) return []
  return [
    [identity.secretHeader, identity.secret],
    [identity.arnHeader, caller.arn],
    ...(caller.account === undefined ? [] : [[identity.accountHeader, caller.account] as const]),
  ]
}

/** Headers that are sent once: of several node keeps the first. @see https://nodejs.org/api/http.html#messageheaders */
const ONCE = new Set(
  'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since last-modified location max-forwards proxy-authorization referer retry-after server user-agent'.split(
    ' ',
  ),
)

/** Names in lower case, and repeated headers as node joins them. */
function joinHeaders(headers: Headers): IncomingHttpHeaders {
  // Without a prototype: `constructor` is a name like any other.
  const joined: Record<string, string> = Object.create(null)
  for (const [given, value] of headers) {
    const name = given.toLowerCase()
    const before = joined[name]
    if (before === undefined) joined[name] = value
    else if (!ONCE.has(name)) joined[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return joined
}
