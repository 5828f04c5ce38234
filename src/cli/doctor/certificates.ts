import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readTls } from '../../server/config/files.ts'
import { type Examination, expiryFinding, fine, type HealthFinding } from './finding.ts'

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Checks the certificates of the listener: whether key and certificate match, for which name, and how long they are valid. */
export async function examineCertificates({ config, now }: Examination): Promise<readonly HealthFinding[]> {
  const { tls, publicUrl, loopback, trustProxy } = config
  const check = 'certificates'
  if (tls === undefined) {
    if (loopback || trustProxy.length > 0) return []
    const found = 'keys are sent without encryption: neither tls nor trustProxy is set'
    return [
      {
        check,
        health: 'warning',
        found,
        fix: 'set tls.cert and tls.key, or name the proxy that terminates TLS in trustProxy',
      },
    ]
  }
  readTls(tls)
  const [own, ...issuers] = certificatesIn(tls.cert)
  const fix = 'renew it, then send SIGHUP: the server loads it without losing a request'
  const findings = [
    ...expiries('tls.cert', own === undefined ? [] : [own], now(), fix),
    ...expiries('an issuer in tls.cert', issuers, now(), fix),
  ]
  const host = publicUrl === undefined ? undefined : new URL(publicUrl).hostname
  if (own !== undefined && host !== undefined && publicUrl?.startsWith('https:') === true) {
    findings.push(
      own.checkHost(host) === undefined
        ? {
            check,
            health: 'warning',
            found: `tls.cert is not for ${host}, the name in publicUrl`,
            fix: 'use a certificate for that name: players that reach this server directly will reject this one',
          }
        : fine(check, `tls.cert is for ${host}`),
    )
  }
  if (tls.clientCa !== undefined)
    findings.push(...expiries('an issuer in tls.clientCa', certificatesIn(tls.clientCa), now(), fix))
  return findings
}

function expiries(
  what: string,
  certificates: readonly X509Certificate[],
  now: number,
  fix: string,
): readonly HealthFinding[] {
  return certificates.map(({ validTo }) =>
    expiryFinding({ check: 'certificates', what, notAfter: Date.parse(validTo), now, fix }),
  )
}

function certificatesIn(file: string): readonly X509Certificate[] {
  return Array.from(readFileSync(file, 'utf8').matchAll(PEM), ([pem]) => new X509Certificate(pem))
}
