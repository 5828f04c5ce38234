import type { IncomingHttpHeaders } from 'node:http'

/**
 * Whose share of the memory for request bodies a body takes: strangers are callers that have not proven who they are, and
 * leave room for known callers.
 */
export type BodyShare = 'caller' | 'stranger'

/** The part of a request that authenticates its caller. A `Call` of any runtime fits. */
export interface Presented {
  readonly method: string
  /** Path and query exactly as on the request line. */
  readonly rawPath: string
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders
  /** Names and values in turn, as received: the only place where a repeated header is visible. */
  readonly rawHeaders?: readonly string[] | undefined
  /** Reads the body. Only a method whose credential signs the body calls it, after it has judged the rest. */
  readonly body: (share: BodyShare) => Promise<Uint8Array>
  /** The address of the caller: the peer, or the address that a trusted proxy reports. */
  readonly address: string
  /** Whether the peer of the connection is a proxy of `trustProxy`. */
  readonly isFromTrustedProxy: boolean
  /** Whether nobody on the way could read the request: TLS ends here, or at a trusted proxy. */
  readonly secure: boolean
  /** The certificate that the peer proved to hold in the TLS handshake. */
  readonly clientCertificate?: ClientCertificate | undefined
}

/** A client certificate whose private key the peer holds, or that a trusted proxy passes on. */
export interface ClientCertificate {
  /** SHA-256 of its DER bytes, in hex of any case, with or without colons. */
  readonly fingerprint256: string
  /** As `subjectAltNames` reads them: `DNS:a.example`, `URI:spiffe://a/b`. */
  readonly subjectAltNames: readonly string[]
  /** Its validity, in milliseconds since 1970. */
  readonly validFrom: number
  readonly validTo: number
  /** Whether a trusted issuer vouches for it. A pinned certificate does not need one. */
  readonly isVerified: boolean
  /** SHA-256 fingerprints of the certificates above it in the verified chain, in lower-case hex, the nearest first. */
  readonly issuers: readonly string[]
  /** DER, if the connection ends here: keys can be encrypted to it. */
  readonly raw?: Uint8Array
}

/** The value of a header that was sent once, else undefined. `name` is in lower case. */
export function headerOf({ headers }: Presented, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : undefined
}

/** Whether a header was sent more than once. `name` is in lower case. */
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

/** The credentials of the Authorization header if its scheme is `scheme` (lower case). @see RFC 9110, 11.4 */
export function authorizationOf(presented: Presented, scheme: string): string | undefined {
  const [, given = '', credentials] = AUTHORIZATION.exec(headerOf(presented, 'authorization') ?? '') ?? []
  return given.toLowerCase() === scheme ? credentials : undefined
}
