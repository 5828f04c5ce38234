import type { IncomingRequest, Reply } from '../../http/request.ts'
import type { EncodedReply } from './event-kind.ts'

const IS_TEXT = /^(?:text\/|application\/(?:[\w.+-]*\+)?(?:xml|json)\b)/

/** A reply as an event's result holds it: text as it is, bytes in base64. */
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
