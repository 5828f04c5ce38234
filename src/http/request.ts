import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import type { ClientCertificate } from '../auth/presented.ts'
import { KeyProviderError } from '../core/errors.ts'

/** The head of a request, as every runtime hands it over before anything of the body is read. */
export interface RequestHead {
  readonly method: string
  /** Path and query exactly as on the request line. */
  readonly rawPath: string
  /** The part of the path that routes use, if a gateway serves them below a path of its own. */
  readonly routePath?: string | undefined
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as received. */
  readonly rawHeaders?: readonly string[] | undefined
  /** The address of the peer of the connection. */
  readonly peer: string
  /** `1.0` or `1.1`; undefined for a runtime that does not know. */
  readonly httpVersion?: string | undefined
  /** Whether the connection is encrypted up to this process. */
  readonly secure: boolean
  /** The certificate that the peer proved to hold in the TLS handshake. */
  readonly clientCertificate?: ClientCertificate | undefined
  /** The ID in `X-Request-Id` and in the log. */
  readonly requestId: string
}

/** A request as a runtime received it: the head, and a way to read the body. */
export interface IncomingRequest extends RequestHead {
  /**
   * Reads the body. `onBytes` is called with the number of bytes of each piece before the piece is kept; it may throw to
   * stop. Rejects with ERR_BODY_TOO_LARGE above `maxBytes`, with RequestAbortedError if the sender leaves.
   */
  readonly readBody: (maxBytes: number, onBytes: (count: number) => void) => Promise<Buffer>
}

/** The response. The runtime adds `X-Request-Id` and `Content-Length`. */
export interface Reply {
  readonly status: number
  /** A list is sent as one header per value. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: string | Uint8Array
}

/** Answers one request. It never throws: a failure becomes a reply. */
export type Handler = (request: IncomingRequest) => Promise<Reply> | Reply

/** The sender closed the connection before the body was complete: there is nobody to answer. */
export class RequestAbortedError extends Error {
  override readonly name = 'RequestAbortedError'
}

/** The body is compressed or encoded otherwise; the reply says in `Accept-Encoding` what is accepted. @see RFC 9110, 15.5.16 */
export class UnsupportedEncodingError extends KeyProviderError {
  override readonly name = 'UnsupportedEncodingError'

  constructor() {
    super(
      'ERR_MEDIA_TYPE_UNSUPPORTED',
      'Content-Encoding: Keyspring does not decode request bodies. Send the body without an encoding, and remove the header',
    )
  }
}

/** The error of a body above its limit, in bytes. */
export function bodyTooLarge(maxBytes: number): KeyProviderError {
  return new KeyProviderError(
    'ERR_BODY_TOO_LARGE',
    `the body is too large: expected at most ${maxBytes} bytes on this path. Send a smaller body`,
  )
}

const REQUEST_ID = /^[A-Za-z0-9._-]{1,128}$/
const PROCESS = randomBytes(6).toString('hex')
let count = 0

/** The ID of a request: the caller's own if it is safe to log, else one that is unique among all processes. */
export function requestIdOf(header: string | string[] | undefined): string {
  if (typeof header === 'string' && REQUEST_ID.test(header)) return header
  count += 1
  return `${PROCESS}-${count.toString(36)}`
}
