import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { textReply, toReply } from '../errors.ts'
import { type Handler, type IncomingRequest, type Reply, requestIdOf } from '../request.ts'
import { hasBody, readBody } from './body.ts'
import { Connections } from './connections.ts'
import { clientCertificateOptions, secureContextOf, type TlsMaterial } from './tls.ts'
import { NOT_HTTP, refuseBytes } from './unreadable.ts'

interface ListenOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly handler: Handler
  readonly limits: ListenLimits
  /** Undefined: HTTP without TLS. */
  readonly tls?: TlsMaterial | undefined
  /** Receives what never became a request: bytes that are not HTTP, headers too large or too slow. */
  readonly onUnreadable?: (unreadable: { readonly status: number; readonly peer: string; requestId: string }) => void
  /** Receives errors after the handler, which would otherwise be lost. */
  readonly onError?: (error: unknown) => void
}

interface ListenLimits {
  /** The largest body that any route reads, in bytes. */
  readonly bodyBytes: number
  readonly connections: number
  /** Requests of one connection, which then closes: nodes behind a balancer stay in balance. 0: any number. */
  readonly requestsPerSocket?: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
}

/** A body up to this size is sent in one piece with its head: two pieces cost a third of a whole key request. */
const ONE_PIECE_BYTES = 256
/** Responses without a body. @see RFC 9110, 8.6 */
const BODILESS: readonly number[] = [204, 304]
const KEEP_ALIVE_MS = 65_000
const MAX_HEADER_BYTES = 16 * 1024
/** How long a rejected body is read and discarded: a socket closed over unread bytes is reset, and the reply is lost. */
const LINGER_MS = 2_000

/** Serves a handler over HTTP/1.1, until it is closed. */
export class Listener {
  readonly #options: ListenOptions
  readonly #server: Server
  readonly #connections: Connections
  #tls: TlsMaterial | undefined
  #isDraining = false
  #address: { readonly host: string; readonly port: number }

  private constructor(options: ListenOptions) {
    const { limits, tls } = options
    this.#options = options
    this.#tls = tls
    this.#address = { host: options.host, port: options.port }
    this.#connections = new Connections(limits.requestsPerSocket ?? 0)
    this.#server = createServerOf(limits, tls, (request, response) => this.#onRequest(request, response, false))
    this.#server.maxConnections = limits.connections
    this.#server.maxRequestsPerSocket = limits.requestsPerSocket ?? 0
    this.#server.on('checkContinue', (request, response) => this.#onRequest(request, response, true))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => this.#onBadBytes(error, socket))
    this.#server.on('connection', (socket: Socket) => this.#connections.accept(socket))
    this.#server.on('secureConnection', (socket: Socket) => this.#connections.addSecured(socket))
  }

  /** Starts to listen. Rejects if the address is not available. */
  static async open(options: ListenOptions): Promise<Listener> {
    const listener = new Listener(options)
    await started(listener.#server, options.host, options.port)
    const { address, port } = listener.#server.address() as AddressInfo
    listener.#address = { host: address, port }
    return listener
  }

  /** Where it listens. */
  get address(): { readonly host: string; readonly port: number } {
    return this.#address
  }

  /**
   * Serves new connections with another certificate. Open connections stay, except those with a client certificate when
   * the issuers in `clientCa` changed: they end, so that no connection outlives its issuer.
   */
  setTls(tls: TlsMaterial): void {
    if (this.#tls === undefined) return
    const hasNewIssuers = !sameBytesOrNone(this.#tls.clientCa, tls.clientCa)
    this.#tls = tls
    ;(this.#server as TlsServer).setSecureContext(secureContextOf(tls))
    if (hasNewIssuers) this.#connections.retireCertified()
  }

  /** Accepts no more requests, finishes those in flight, and closes what is still open after `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#isDraining = true
    const done = closed(this.#server, deadlineMs)
    this.#connections.closeSilent()
    await done
  }

  #onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const exchange: Exchange = { request, response, expectsContinue, isRead: !hasBody(request), requestId: '' }
    if (isUnsound(request)) {
      exchange.requestId = requestIdOf(undefined)
      this.#onUnreadable(400, request.socket, exchange.requestId)
      this.#rejectWhileReading(exchange, textReply(400, NOT_HTTP))
      return
    }
    exchange.requestId = requestIdOf(request.headers['x-request-id'])
    const isLast = this.#connections.begin(request.socket, exchange.isRead)
    void this.#answer(exchange, isLast)
  }

  async #answer(exchange: Exchange, isLast: boolean): Promise<void> {
    const { handler, onError } = this.#options
    let reply: Reply
    try {
      reply = await handler(this.#toRequest(exchange))
    } catch (error) {
      onError?.(error)
      reply = toReply(error)
    }
    try {
      this.#reply(exchange, reply, isLast)
    } catch (error) {
      onError?.(error)
      exchange.request.socket.destroy()
    }
  }

  #toRequest(exchange: Exchange): IncomingRequest {
    const { request, response } = exchange
    const { socket } = request
    return {
      method: request.method ?? '',
      rawPath: request.url ?? '',
      httpVersion: request.httpVersion,
      headers: request.headers,
      rawHeaders: request.rawHeaders,
      peer: socket.remoteAddress ?? '',
      secure: this.#tls !== undefined,
      clientCertificate: this.#tls === undefined ? undefined : this.#connections.certificateOf(socket),
      requestId: exchange.requestId,
      readBody: async (maxBytes, onBytes) => {
        // The sender waits to be asked, and is asked only for a body that will be read. RFC 9110, 10.1.1
        if (exchange.expectsContinue) response.writeContinue()
        exchange.isStarted = true
        const bytes = await readBody(request, maxBytes, onBytes)
        exchange.isRead = true
        this.#connections.answering(socket)
        return bytes
      },
    }
  }

  /** Sends a reply. A body that was not read is discarded, on the same connection if its size is known to be small. */
  #reply(exchange: Exchange, reply: Reply, isLast: boolean): void {
    const { request, isRead, isStarted, expectsContinue } = exchange
    const { socket } = request
    if (socket.destroyed) return
    this.#connections.answering(socket)
    const isSmall =
      Number(request.headers['content-length'] ?? Number.POSITIVE_INFINITY) <= this.#options.limits.bodyBytes
    if (!isRead && (isStarted === true || expectsContinue || !isSmall)) {
      this.#rejectWhileReading(exchange, reply)
      return
    }
    this.#send(exchange, reply, isLast || this.#isDraining || this.#connections.isRetired(socket))
    if (isRead) this.#connections.end(socket)
    // Node discards the body by itself; until then bytes that are not HTTP must not be answered.
    else request.once('close', () => this.#connections.end(socket))
  }

  #send({ response, requestId }: Exchange, { status, headers, body }: Reply, closes: boolean): void {
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    const all: OutgoingHttpHeaders = { ...headers, 'x-request-id': requestId }
    if (!BODILESS.includes(status)) all['content-length'] = length
    if (closes) all.connection = 'close'
    response.writeHead(status, all)
    if (typeof body !== 'string' && length <= ONE_PIECE_BYTES) response.end(latin1(body), 'latin1')
    // Text with one byte per character is the same in latin1, which node writes faster.
    else response.end(body, length === body.length ? 'latin1' : 'utf8')
  }

  /** Sends a reply and discards the rest of the body for a limited time; then the connection closes. */
  #rejectWhileReading({ request, response, requestId }: Exchange, { status, headers, body }: Reply): void {
    response.writeHead(status, {
      ...headers,
      'x-request-id': requestId,
      'content-length': Buffer.byteLength(body),
      connection: 'close',
    })
    response.write(body)
    const finish = (): void => {
      clearTimeout(timer)
      response.end()
    }
    const timer = setTimeout(finish, LINGER_MS)
    request.on('data', () => undefined)
    request.once('end', finish)
    request.once('close', finish)
  }

  #onBadBytes(error: NodeJS.ErrnoException, socket: Socket): void {
    if (!socket.writable || error.code === 'ECONNRESET' || this.#connections.isAnswering(socket)) {
      socket.destroy()
      return
    }
    const requestId = requestIdOf(undefined)
    this.#onUnreadable(refuseBytes(error, socket, requestId), socket, requestId)
  }

  #onUnreadable(status: number, socket: Socket, requestId: string): void {
    this.#options.onUnreadable?.({ status, peer: socket.remoteAddress ?? '', requestId })
  }
}

/** One request and its response on a connection. */
interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The sender waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean
  requestId: string
  /** The body began to be read. */
  isStarted?: boolean
  /** There is no body, or it was read to its end. */
  isRead: boolean
}

/** Node accepts a request without headers, and one with two Hosts, of which another program may use the other. @see RFC 9112, 3.2 */
function isUnsound({ httpVersionMajor, rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1 || httpVersionMajor < 1
}

function createServerOf(limits: ListenLimits, tls: TlsMaterial | undefined, onRequest: RequestListener): Server {
  const options = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headersTimeoutMs / 2)),
  }
  if (tls === undefined) return createServer(options, onRequest)
  const handshakeTimeout = limits.headersTimeoutMs
  const secured = { ...secureContextOf(tls), ...clientCertificateOptions(tls), handshakeTimeout }
  return createTlsServer({ ...options, ...secured }, onRequest)
}

function started(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port, backlog: 1024 }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function closed(server: Server, deadlineMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), deadlineMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}

function sameBytesOrNone(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b)
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
