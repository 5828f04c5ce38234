import type { IncomingHttpHeaders } from 'node:http'
import { bodyTooLarge, type IncomingRequest, type Reply, requestIdOf } from '../../http/request.ts'
import type { GatewayIdentity } from '../assemble/function.ts'
import type { EncodedReply, EventRequest } from './event-kind.ts'

/** The request of an event, in the form that a listener passes to the handler. */
export function toIncomingRequest(request: EventRequest, identity: GatewayIdentity): IncomingRequest {
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
    // IDs of gateways end with padding, or have characters that a log should not hold.
    requestId: requestIdOf(joined['x-request-id'] ?? request.requestId?.replace(/^Root=|=+$/g, '')),
    async readBody(maxBytes, onBytes) {
      if (bytes.length > maxBytes) throw bodyTooLarge(maxBytes)
      onBytes(bytes.length)
      return bytes
    },
  }
}

type Headers = EventRequest['headers']

/** The headers of a caller without those that only the gateway may set. */
function withoutIdentity(headers: Headers, { secretHeader, arnHeader, accountHeader }: GatewayIdentity): Headers {
  const ours = new Set([secretHeader, arnHeader, accountHeader])
  return headers.filter(([name]) => !ours.has(name.toLowerCase()))
}

/** The identity headers of the gateway. The event is the proof: only the gateway can invoke the function with it. */
function identityHeaders({ caller }: EventRequest, identity: GatewayIdentity): Headers {
  if (caller === undefined) return []
  return [
    [identity.secretHeader, identity.secret],
    [identity.arnHeader, caller.arn],
    ...(caller.account === undefined ? [] : [[identity.accountHeader, caller.account] as const]),
  ]
}

/** Headers that may occur once: Node.js keeps the first of several. @see https://nodejs.org/api/http.html#messageheaders */
const ONCE = new Set(
  'age authorization content-length content-type etag expires from host if-modified-since if-unmodified-since last-modified location max-forwards proxy-authorization referer retry-after server user-agent'.split(
    ' ',
  ),
)

/** Names in lower case, and repeated headers joined as Node.js joins them. */
function joinHeaders(headers: Headers): IncomingHttpHeaders {
  // Without a prototype, `constructor` is a name as any other.
  const joined: Record<string, string> = Object.create(null)
  for (const [given, value] of headers) {
    const name = given.toLowerCase()
    const before = joined[name]
    if (before === undefined) joined[name] = value
    else if (!ONCE.has(name)) joined[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return joined
}

const IS_TEXT = /^(?:text\/|application\/(?:[\w.+-]*\+)?(?:xml|json)\b)/

/** A reply in the form of an event's result: text unchanged, bytes in base64. */
export function encodeReply({ status, headers, body }: Reply, { method, requestId }: IncomingRequest): EncodedReply {
  const all = { ...headers, 'x-request-id': requestId }
  const sent = Object.entries(all).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => [name, one] as const),
  )
  const type = String(headers['content-type'] ?? '')
  if (method === 'HEAD') return { status, headers: sent, body: '', isBase64: false }
  if (typeof body === 'string') return { status, headers: sent, body, isBase64: false }
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  const isText = IS_TEXT.test(type)
  return { status, headers: sent, body: bytes.toString(isText ? 'utf8' : 'base64'), isBase64: !isText }
}
