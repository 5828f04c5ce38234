import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls'
import { normalizeFingerprint, toClientCertificate } from '../../auth/certificate.ts'
import type { ClientCertificate } from '../../auth/presented.ts'

/** The certificate and key of a listener, and the issuers of client certificates; all in PEM. */
export interface TlsMaterial {
  readonly cert: Buffer
  readonly key: Buffer
  /** Issuers of client certificates; undefined: the listener does not ask for client certificates. */
  readonly clientCa: Buffer | undefined
}

/** The options of node:tls, at the start of a listener and when its certificate is replaced. */
export function secureContextOf({ cert, key, clientCa }: TlsMaterial) {
  return { cert, key, minVersion: 'TLSv1.2' as const, ...(clientCa !== undefined && { ca: clientCa }) }
}

/** Whether to ask for a client certificate. A wrong one does not end the connection: the request may hold other credentials. */
export function clientCertificateOptions({ clientCa }: TlsMaterial) {
  return { requestCert: clientCa !== undefined, rejectUnauthorized: false }
}

/** More certificates than this in a chain are no chain of an encryptor. */
const MAX_CHAIN = 8

/** The certificate that the peer proved to hold. Its `issuers` are those that TLS verified, up to one in `tls.clientCa`. */
export function peerCertificateOf(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const peer = socket.getPeerCertificate(true)
  if (peer.raw === undefined) return undefined
  const certificate = new X509Certificate(peer.raw)
  const issuers = socket.authorized ? issuersOf(peer) : []
  return { ...toClientCertificate(certificate), raw: certificate.raw, isVerified: socket.authorized, issuers }
}

/** The fingerprints of the certificates above the peer's own, in lower-case hex. A self-signed one has none. */
function issuersOf(peer: DetailedPeerCertificate): readonly string[] {
  const issuers: string[] = []
  let at = peer
  while (issuers.length < MAX_CHAIN) {
    const next: DetailedPeerCertificate | undefined = at.issuerCertificate
    if (next === undefined || next.fingerprint256 === at.fingerprint256) return issuers
    issuers.push(normalizeFingerprint(next.fingerprint256))
    at = next
  }
  return issuers
}
