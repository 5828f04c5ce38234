import type { Socket } from 'node:net'
import type { ClientCertificate } from '../../auth/presented.ts'
import { peerCertificateOf } from './tls.ts'

interface Connection {
  /** Requests so far. */
  requests: number
  /** A request is complete and its reply is not sent: bytes that are not HTTP are not answered now. */
  isAnswering: boolean
  /** Requests whose reply is not sent. */
  underWay: number
  /** It closes after its reply, and its client certificate counts no more. */
  isRetired: boolean
  /** Undefined: not read yet. */
  certificate: ClientCertificate | 'none' | undefined
}

/** The open connections of a listener. */
export class Connections {
  readonly #maxRequests: number
  /** As accepted: below TLS, if the listener has it. */
  readonly #accepted = new Set<Socket>()
  /** As requests see them. */
  readonly #open = new Map<Socket, Connection>()

  /** `maxRequests`: requests of one connection, 0 for any number. */
  constructor(maxRequests: number) {
    this.#maxRequests = maxRequests
  }

  accept(socket: Socket): void {
    this.#accepted.add(socket)
    socket.once('close', () => this.#accepted.delete(socket))
  }

  /** A connection completed its TLS handshake. */
  addSecured(socket: Socket): void {
    this.#of(socket)
  }

  /** Counts a request. True for the last one that the connection may have: node says `close` on it, but does not close. */
  begin(socket: Socket, isComplete: boolean): boolean {
    const connection = this.#of(socket)
    connection.requests++
    connection.underWay++
    connection.isAnswering = isComplete
    return this.#maxRequests > 0 && connection.requests >= this.#maxRequests
  }

  answering(socket: Socket): void {
    this.#of(socket).isAnswering = true
  }

  isAnswering(socket: Socket): boolean {
    return this.#of(socket).isAnswering
  }

  end(socket: Socket): void {
    const connection = this.#of(socket)
    connection.underWay--
    connection.isAnswering = connection.underWay > 0
  }

  isRetired(socket: Socket): boolean {
    return this.#of(socket).isRetired
  }

  /** The client certificate of a connection, read once. */
  certificateOf(socket: Socket): ClientCertificate | undefined {
    const connection = this.#of(socket)
    if (connection.isRetired) return undefined
    connection.certificate ??= peerCertificateOf(socket) ?? 'none'
    return connection.certificate === 'none' ? undefined : connection.certificate
  }

  /** Ends the connections that may hold a client certificate: idle ones now, the others after their reply. */
  retireCertified(): void {
    for (const [socket, connection] of this.#open) {
      if (connection.certificate === 'none') continue
      connection.isRetired = true
      if (connection.underWay === 0) socket.destroy()
    }
  }

  /** Closes connections on which nothing was ever received: node takes them for busy ones. */
  closeSilent(): void {
    for (const socket of this.#accepted) if (socket.bytesRead === 0) socket.destroy()
  }

  #of(socket: Socket): Connection {
    const known = this.#open.get(socket)
    if (known !== undefined) return known
    const connection = { requests: 0, isAnswering: false, underWay: 0, isRetired: false, certificate: undefined }
    if (socket.destroyed) return connection
    this.#open.set(socket, connection)
    socket.once('close', () => this.#open.delete(socket))
    return connection
  }
}
