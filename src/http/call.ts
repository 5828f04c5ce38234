import type { IncomingHttpHeaders } from 'node:http'
import type { ClientCertificate, Presented } from '../auth/presented.ts'
import type { KeyProviderError } from '../core/errors.ts'

/** A request as every runtime hands it over. */
export interface Call extends Presented {
  readonly method: string
  /** Path and query as they stood on the request line. */
  readonly rawPath: string
  /** What of it routes go by, where a gateway serves them below a path of its own. */
  readonly routePath?: string | undefined
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as received. */
  readonly rawHeaders?: readonly string[] | undefined
  readonly bytes: Buffer
  /** The address of the peer of the connection. */
  readonly peer: string
  /** Whether the connection is encrypted up to here. */
  readonly secure: boolean
  /** The certificate of the peer, where TLS verified it. */
  readonly clientCertificate?: ClientCertificate | undefined
  /** The id in X-Request-Id and in the log. */
  readonly requestId: string
  /** Why the runtime did not take the body; `bytes` is empty then. Any other refusal goes before it. */
  readonly fault?: KeyProviderError | undefined
}

/** What is sent back. X-Request-Id and Content-Length are added by the runtime. */
export interface Reply {
  readonly status: number
  /** A list stands for a header that is sent once for each. */
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: string | Uint8Array
}

/** Answers one call. It never throws: failures are replies. */
export type Handler = (call: Call) => Promise<Reply> | Reply
