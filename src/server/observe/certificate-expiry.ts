import { X509Certificate } from 'node:crypto'
import type { TlsMaterial } from '../../http/listener/tls.ts'
import type { Metrics } from './metrics.ts'

/** Tells the metrics when the first of the certificates expires, of each file. */
export function reportCertificates(tls: TlsMaterial | undefined, metrics: Metrics): void {
  if (tls === undefined) return
  metrics.tlsCertificateExpiry('server', firstExpiry(tls.cert))
  if (tls.clientCa !== undefined) metrics.tlsCertificateExpiry('client-ca', firstExpiry(tls.clientCa))
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** When the first certificate of a PEM file expires, in seconds since 1970. */
function firstExpiry(pem: Buffer): number {
  const all = pem.toString('latin1').match(CERTIFICATE) ?? []
  return Math.min(...all.map((one) => new X509Certificate(one).validToDate.getTime() / 1_000))
}
