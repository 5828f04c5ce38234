import type { IncomingHttpHeaders } from 'node:http'

/** A request as far as it tells who is calling. A `Call` of any runtime fits. */
export interface Presented {
  readonly method: string
  /** Path and query as they stood on the request line. */
  readonly rawPath: string
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as received: the only place where a repeated header still shows. */
  readonly rawHeaders?: readonly string[] | undefined
  readonly bytes: Uint8Array
  /** The address of the peer of the connection. */
  readonly peer: string
  /** Whether nobody on the way could read the request: TLS ends here, or at a trusted proxy. */
  readonly secure: boolean
  /** The certificate that the TLS layer verified. */
  readonly clientCertificate?: ClientCertificate | undefined
}

/** A verified client certificate. */
export interface ClientCertificate {
  /** SHA-256 of its DER bytes, in hex of any case, with or without colons. */
  readonly fingerprint256: string
  /** As `subjectAltNames` reads them: `DNS:a.example`, `URI:spiffe://a/b`. */
  readonly subjectAltNames: readonly string[]
  /** DER, where the connection ends here: keys can be encrypted to it. */
  readonly raw?: Uint8Array
}

/** The value of a header that came as one, or undefined. `name` is in lower case. */
export function headerOf({ headers }: Presented, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

/** Whether a header came more than once. `name` is in lower case. */
export function isRepeated({ headers, rawHeaders = [] }: Presented, name: string): boolean {
  if (Array.isArray(headers[name]) && headers[name].length > 1) return true
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const given = rawHeaders[at] ?? ''
    if (given.length === name.length && given.toLowerCase() === name) count++
  }
  return count > 1
}

const AUTHORIZATION = /^([A-Za-z0-9-]+) +(.*)$/s

/** The credentials of the Authorization header when its scheme is `scheme` (lower case). @see RFC 9110, 11.4 */
export function authorizationOf(presented: Presented, scheme: string): string | undefined {
  const [, given = '', credentials] = AUTHORIZATION.exec(headerOf(presented, 'authorization') ?? '') ?? []
  return given.toLowerCase() === scheme ? credentials : undefined
}
