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
import type { Call, Handler, Reply } from '../call.ts'
import { textReply, toReply } from '../errors.ts'
import { readBody } from './body.ts'
import { requestIdOf } from './request-id.ts'
import { clientCertificateOptions, clientCertificates, secureContextOf, type TlsMaterial } from './tls.ts'

export interface ListenOptions {
  readonly host: string
  /** 0: any free port. */
  readonly port: number
  readonly handler: Handler
  readonly limits: ListenLimits
  /** Undefined: HTTP without TLS. */
  readonly tls?: TlsMaterial | undefined
  /** Told of what never became a call: bytes that are no HTTP, headers too large or too slow. */
  readonly onUnreadable?: (unreadable: { readonly status: number; readonly peer: string; requestId: string }) => void
  /** Told of what went wrong after the handler, which nobody else would hear of. */
  readonly onError?: (error: unknown) => void
}

export interface ListenLimits {
  readonly bodyBytes: number
  readonly connections: number
  /** Requests of one connection, which is closed then: so that the nodes behind a balancer stay in balance. 0: any number. */
  readonly requestsPerSocket?: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
}

export interface Listener {
  readonly address: { readonly host: string; readonly port: number }
  /** Serves new connections with another certificate. Those that are open stay. */
  setTls(tls: TlsMaterial): void
  /** Accepts nothing more, finishes the requests in flight, and cuts what is still open after `deadlineMs`. */
  close(deadlineMs: number): Promise<void>
}

/** Bytes of a body that are sent as text of one byte a character, which they are then. */
const ONE_PIECE = 256
/** They end with their headers. @see RFC 9110, 8.6 */
const BODILESS: readonly number[] = [204, 304]
const KEEP_ALIVE_MS = 65_000
const MAX_HEADER_BYTES = 16 * 1024
/** How long a refused body is read on, to nowhere: a socket closed over unread bytes is reset, and the refusal with it. */
const LINGER_MS = 2_000

/** Serves `handler` over HTTP/1.1. Rejects when the address cannot be listened on. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const { host, port, handler, limits, tls } = options
  const certificateOf = clientCertificates()
  const onError = options.onError ?? (() => undefined)
  const answering = new WeakSet<Socket>()
  const { requestsPerSocket = 0 } = limits
  const requestsOf = new WeakMap<Socket, number>()
  let draining = false

  /** Counts a request. Node says `close` on the last one too, but then waits for the client to do so. */
  const isLast = (socket: Socket): boolean => {
    if (requestsPerSocket === 0) return false
    const count = (requestsOf.get(socket) ?? 0) + 1
    requestsOf.set(socket, count)
    return count >= requestsPerSocket
  }

  const send = (response: ServerResponse, requestId: string, reply: Reply, closes: boolean): void => {
    const { status, headers, body } = reply
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length
    const all: OutgoingHttpHeaders = { ...headers, 'x-request-id': requestId }
    if (!BODILESS.includes(status)) all['content-length'] = length
    if (closes || draining) all.connection = 'close'
    response.writeHead(status, all)
    // A small body goes out in one piece with its head: two pieces cost a third of a whole key request.
    if (typeof body !== 'string' && length <= ONE_PIECE) response.end(latin1(body), 'latin1')
    // Text of one byte a character is the same in latin1, which is written faster.
    else response.end(body, length === body.length ? 'latin1' : 'utf8')
  }

  const refuse = (request: IncomingMessage, response: ServerResponse, requestId: string, reply: Reply): void => {
    const { status, headers, body } = reply
    const length = Buffer.byteLength(body)
    response.writeHead(status, {
      ...headers,
      'x-request-id': requestId,
      'content-length': length,
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

  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    if (isUnsound(request)) {
      const requestId = requestIdOf(undefined)
      options.onUnreadable?.({ status: 400, peer: request.socket.remoteAddress ?? '', requestId })
      refuse(request, response, requestId, textReply(400, NOT_HTTP))
      return
    }
    readBody(request, limits.bodyBytes, (bytes, fault) => {
      const { socket } = request
      answering.add(socket)
      const closes = isLast(socket)
      const requestId = requestIdOf(request.headers['x-request-id'])
      const settle = (reply: Reply): void => {
        try {
          if (fault === undefined) send(response, requestId, reply, closes)
          else refuse(request, response, requestId, reply)
        } catch (error) {
          onError(error)
          socket.destroy()
        }
        if (fault === undefined) answering.delete(socket)
      }
      const fail = (error: unknown): void => {
        onError(error)
        settle(toReply(error))
      }
      const call: Call = {
        method: request.method ?? '',
        rawPath: request.url ?? '',
        headers: request.headers,
        rawHeaders: request.rawHeaders,
        bytes,
        peer: socket.remoteAddress ?? '',
        secure: tls !== undefined,
        clientCertificate: tls === undefined ? undefined : certificateOf(socket),
        requestId,
        fault,
      }
      try {
        const reply = handler(call)
        if (reply instanceof Promise) reply.then(settle, fail)
        else settle(reply)
      } catch (error) {
        fail(error)
      }
    })
  }

  const { server, setTls } = createServerOf(limits, tls, onRequest)
  server.maxConnections = limits.connections
  server.maxRequestsPerSocket = requestsPerSocket
  // A body that will be refused by its announced size is not asked for. @see RFC 9110, 10.1.1
  server.on('checkContinue', (request, response) => {
    if (Number(request.headers['content-length'] ?? 0) <= limits.bodyBytes) response.writeContinue()
    onRequest(request, response)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const { code = '' } = error
    if (!socket.writable || code === 'ECONNRESET' || answering.has(socket)) {
      socket.destroy()
      return
    }
    const { status, text } = UNREADABLE[code] ?? { status: '400 Bad Request', text: NOT_HTTP }
    const requestId = requestIdOf(undefined)
    options.onUnreadable?.({ status: Number.parseInt(status, 10), peer: socket.remoteAddress ?? '', requestId })
    // Whoever failed at TLS has no connection that anything could be said on.
    if (!code.startsWith('HPE_') && UNREADABLE[code] === undefined) {
      socket.destroy()
      return
    }
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\nConnection: close\r\nX-Request-Id: ${requestId}\r\n\r\n${text}`,
      () => socket.destroy(),
    )
  })

  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })

  await started(server, host, port)
  const { address, port: bound } = server.address() as AddressInfo
  return {
    address: { host: address, port: bound },
    setTls,
    close: (deadlineMs) => {
      draining = true
      const done = closed(server, deadlineMs)
      // Node takes a connection on which nothing was ever said for a busy one.
      for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
      return done
    },
  }
}

const NOT_HTTP = 'not an HTTP request'

/** What node lets through: a request without headers, and one with two Hosts, of which another program may believe the other. @see RFC 9112, 3.2 */
function isUnsound({ httpVersionMajor, rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]
    if (name?.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return hosts > 1 || httpVersionMajor < 1
}

function createServerOf(limits: ListenLimits, tls: TlsMaterial | undefined, onRequest: RequestListener) {
  const options = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    connectionsCheckingInterval: Math.max(50, Math.min(1_000, limits.headersTimeoutMs / 2)),
  }
  if (tls === undefined) return { server: createServer(options, onRequest), setTls: () => undefined }
  const secured = {
    ...secureContextOf(tls),
    ...clientCertificateOptions(tls),
    handshakeTimeout: limits.headersTimeoutMs,
  }
  const server: TlsServer = createTlsServer({ ...options, ...secured }, onRequest)
  return { server, setTls: (next: TlsMaterial) => server.setSecureContext(secureContextOf(next)) }
}

/** What is said to a peer whose bytes did not become a request, by the code of Node's error. */
const UNREADABLE: Readonly<Record<string, { readonly status: string; readonly text: string }>> = {
  HPE_HEADER_OVERFLOW: { status: '431 Request Header Fields Too Large', text: 'the headers are too large' },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '408 Request Timeout', text: 'the request took too long to arrive' },
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

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}
