import { type ClientRequest, Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { KeyProviderError, wrongUsage } from '../../core/errors.ts'
import type { SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import { type AuthorizerWorld, authorizerOf, type Credentials, sendsSecret } from './credentials.ts'
import type { Shape } from './request/shapes.ts'

/** The key provider and the connection to it. */
export interface ConnectionOptions extends AuthorizerWorld {
  readonly url: string
  readonly shape: Shape
  readonly credentials: Credentials
  /** Additional headers; the names keep their spelling. */
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly tls: TlsOptions
  /** Whether to send a password or token over HTTP to another host. */
  readonly allowClearText: boolean
  /** A monotonic clock in milliseconds. */
  readonly ticks: () => number
}

/** PEM texts: the CAs to trust instead of the system's, and the client certificate with its key. */
export interface TlsOptions {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
}

export interface ProviderReply {
  readonly status: number
  /** Header values by lower-case name. Repeated headers are joined with a comma. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly milliseconds: number
}

/** A client of one key provider with keep-alive connections. */
export interface Connection {
  /** Posts a CPIX document and returns the reply, whatever its status. Throws ERR_KEY_PROVIDER_UNREACHABLE without a reply. */
  send(xml: string, version: SpekeVersion): Promise<ProviderReply>
  close(): void
}

/** In bytes. An answer with 8 keys and 3 DRM systems has 30 KB. */
const MAX_BODY = 8 * 1024 * 1024

/** Creates a client. It does not follow redirects, because they would receive the credentials. */
export function connect(options: ConnectionOptions): Connection {
  const { shape, credentials, headers, timeoutMs, tls, ticks } = options
  const url = readUrl(options)
  const authorizer = authorizerOf(credentials, options)
  const isTls = url.protocol === 'https:'
  const agent = isTls ? new HttpsAgent({ keepAlive: true, ...tls }) : new HttpAgent({ keepAlive: true })
  const rawPath = `${url.pathname}${url.search}`

  const exchange = (xml: string, version: SpekeVersion): Promise<ProviderReply> => {
    const own = {
      Host: url.host,
      [shape.headers.contentType]: 'application/xml',
      // SPEKE 1.0 has no version header.
      ...(version.major === 1 ? {} : { [shape.headers.spekeVersion]: version.header }),
      ...headers,
    }
    const proof = authorizer.headersFor({ method: 'POST', rawPath, headers: own, body: xml })
    const requestOptions = {
      agent,
      method: 'POST',
      headers: { ...own, ...proof, 'Content-Length': String(Buffer.byteLength(xml)) },
      signal: AbortSignal.timeout(timeoutMs),
    }
    const start = ticks()
    return new Promise((resolve, reject) => {
      const fail = (error: unknown): void => reject(describeFailure(error, url, timeoutMs))
      const outgoing: ClientRequest = (isTls ? requestHttps : requestHttp)(url, requestOptions)
      outgoing.on('error', fail)
      outgoing.on('response', (incoming) => {
        readBody(incoming).then(
          (body) =>
            resolve({
              status: incoming.statusCode ?? 0,
              headers: headersOf(incoming),
              body,
              milliseconds: ticks() - start,
            }),
          fail,
        )
      })
      outgoing.end(xml)
    })
  }

  return {
    async send(xml, version) {
      const reply = await exchange(xml, version)
      const challenge = reply.headers['www-authenticate']
      if (reply.status !== 401 || challenge === undefined) return reply
      return authorizer.takeChallenges?.([challenge]) === true ? exchange(xml, version) : reply
    },
    close: () => agent.destroy(),
  }
}

function readUrl({ url: text, credentials, allowClearText, tls }: ConnectionOptions): URL {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw wrongUsage('the URL of the key provider must start with https:// or http://')
  }
  if (url.username !== '' || url.password !== '') {
    throw wrongUsage(
      'the URL contains a password, which every user of this machine can see: use --auth, --user and --secret-file',
    )
  }
  if (url.protocol === 'http:' && tls.cert !== undefined)
    throw wrongUsage('a client certificate requires an https:// URL')
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol === 'http:' && !isLocal && sendsSecret(credentials) && !allowClearText) {
    throw wrongUsage('http:// would send the password or token in the clear: use https://, or --allow-clear-text')
  }
  return url
}

async function readBody(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY) throw new RangeError(`the answer has more than ${MAX_BODY} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function headersOf({ headersDistinct }: IncomingMessage): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headersDistinct).map(([name, values = []]) => [name, values.join(', ')]))
}

/** The meaning of a connection failure and the fix, by the error code of Node.js or OpenSSL. */
const MEANINGS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'no program listens on this port: check that the key provider runs and that the port is right',
  ECONNRESET: 'the peer closed the connection without an answer: check for a proxy, and whether the port expects TLS',
  ENOTFOUND: 'the host name does not exist: check its spelling and the DNS of this machine',
  EAI_AGAIN: 'DNS does not answer: check the network of this machine',
  EHOSTUNREACH: 'no route to this host: check firewall and VPN',
  ENETUNREACH: 'no route to this network: check firewall and VPN',
  ETIMEDOUT: 'the connection timed out: check whether a firewall drops packets',
  EPROTO: 'the TLS handshake failed: check whether the port expects http://',
  ERR_SSL_WRONG_VERSION_NUMBER: 'the TLS handshake failed: check whether the port expects http://',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'the TLS handshake failed: check whether the port expects http://',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    'the key provider requires a client certificate: set --cert and --cert-key',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the key provider does not trust the client certificate of --cert',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the key provider does not trust the CA of the client certificate of --cert',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate of the key provider is for another host name',
  CERT_HAS_EXPIRED: 'the certificate of the key provider has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'the certificate of the key provider is self-signed: trust it with --ca FILE',
  SELF_SIGNED_CERT_IN_CHAIN: 'this machine does not know the CA of the certificate: trust it with --ca FILE',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'the certificate has no chain, or an unknown CA: trust it with --ca FILE',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'this machine does not know the CA of the certificate: trust it with --ca FILE',
  HPE_INVALID_CONSTANT: 'the reply is not HTTP: check whether the port expects https://',
}

/** Returns ERR_KEY_PROVIDER_UNREACHABLE with the meaning of a failure. */
function describeFailure(error: unknown, url: URL, timeoutMs: number): KeyProviderError {
  const name = error instanceof Error ? error.name : ''
  const code = codeOf(error)
  const meaning =
    name === 'TimeoutError' || name === 'AbortError'
      ? `no answer within ${timeoutMs / 1000} s: --timeout SECONDS sets a longer time`
      : (MEANINGS[code] ?? (error instanceof RangeError ? error.message : `the connection failed (${code})`))
  return new KeyProviderError('ERR_KEY_PROVIDER_UNREACHABLE', `${url.host}: ${meaning}`, { cause: error })
}

/** The code of an error; if several addresses failed, that of the first. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0])
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
