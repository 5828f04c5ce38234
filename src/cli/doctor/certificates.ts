import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readTls } from '../../server/config/files.ts'
import { expiryFinding } from './expiry.ts'
import { type Examination, fine, type HealthFinding } from './finding.ts'

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates of the listener: whether key and certificate fit, for which name, how long they last. */
export async function examineCertificates({ config, now }: Examination): Promise<readonly HealthFinding[]> {
  const { tls, publicUrl, loopback, trustProxy } = config
  const check = 'certificates'
  if (tls === undefined) {
    if (loopback || trustProxy.length > 0) return []
    const found = 'keys travel without encryption: neither tls nor trustProxy is set'
    return [
      {
        check,
        health: 'warning',
        found,
        mend: 'set tls.cert and tls.key, or name the proxy that ends TLS in trustProxy',
      },
    ]
  }
  readTls(tls)
  const [own, ...issuers] = certificatesIn(tls.cert)
  const mend = 'renew it, then send SIGHUP: the new one is taken without a lost request'
  const findings = [
    ...lasting('tls.cert', own === undefined ? [] : [own], now(), mend),
    ...lasting('an issuer in tls.cert', issuers, now(), mend),
  ]
  const host = publicUrl === undefined ? undefined : new URL(publicUrl).hostname
  if (own !== undefined && host !== undefined && publicUrl?.startsWith('https:') === true) {
    findings.push(
      own.checkHost(host) === undefined
        ? {
            check,
            health: 'warning',
            found: `tls.cert is not for ${host}, the name in publicUrl`,
            mend: 'players that reach this server directly will refuse it: use a certificate for that name',
          }
        : fine(check, `tls.cert is for ${host}`),
    )
  }
  if (tls.clientCa !== undefined)
    findings.push(...lasting('an issuer in tls.clientCa', certificatesIn(tls.clientCa), now(), mend))
  return findings
}

function lasting(
  what: string,
  certificates: readonly X509Certificate[],
  now: number,
  mend: string,
): readonly HealthFinding[] {
  return certificates.flatMap(({ validTo }) =>
    expiryFinding({ check: 'certificates', what, notAfter: Date.parse(validTo), now, mend }),
  )
}

function certificatesIn(file: string): readonly X509Certificate[] {
  return Array.from(readFileSync(file, 'utf8').matchAll(PEM), ([pem]) => new X509Certificate(pem))
}
