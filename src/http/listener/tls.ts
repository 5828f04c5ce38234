import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { toClientCertificate } from '../../auth/certificate.ts'
import type { ClientCertificate } from '../../auth/presented.ts'

/** What a listener proves itself by and whose client certificates it takes; all in PEM. */
export interface TlsMaterial {
  readonly cert: Buffer
  readonly key: Buffer
  /** Issuers of client certificates; undefined: none are asked for. */
  readonly clientCa: Buffer | undefined
}

/** The options of node for both the start of a listener and the exchange of its certificate. */
export function secureContextOf({ cert, key, clientCa }: TlsMaterial) {
  return { cert, key, minVersion: 'TLSv1.2' as const, ...(clientCa !== undefined && { ca: clientCa }) }
}

/**
 * Whether a client certificate is asked for. One that does not fit is no reason to close the connection: other credentials may
 * come with the request.
 */
export function clientCertificateOptions({ clientCa }: TlsMaterial) {
  return { requestCert: clientCa !== undefined, rejectUnauthorized: false }
}

/** The certificate of the peer, if one of the issuers vouches for it. It is read once for each connection. */
export function clientCertificates(): (socket: Socket) => ClientCertificate | undefined {
  const read = new WeakMap<Socket, ClientCertificate | 'none'>()
  return (socket) => {
    if (!(socket instanceof TLSSocket)) return undefined
    const known = read.get(socket)
    if (known !== undefined) return known === 'none' ? undefined : known
    const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
    const found = certificate && { ...toClientCertificate(certificate), raw: certificate.raw }
    read.set(socket, found ?? 'none')
    return found
  }
}
