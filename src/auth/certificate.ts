import { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from './presented.ts'

/** A SHA-256 fingerprint as lower-case hex: OpenSSL, Node and browsers print it in upper case with colons. */
export function normalizeFingerprint(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase()
}

/** The part of a certificate that identifies its holder. */
export function toClientCertificate(certificate: X509Certificate): Omit<ClientCertificate, 'isVerified' | 'issuers'> {
  const { fingerprint256, subjectAltName, validFromDate, validToDate } = certificate
  return {
    fingerprint256: normalizeFingerprint(fingerprint256),
    subjectAltNames: subjectAltNames(subjectAltName),
    validFrom: validFromDate.getTime(),
    validTo: validToDate.getTime(),
  }
}

/**
 * The certificate in a Client-Cert header, which a trusted proxy verified; undefined if the header holds none. `chain` is
 * the Client-Cert-Chain header: its certificates are issuers as far as each signed the one before.
 * @see RFC 9440, 2.2 and 2.3; RFC 8941, 3.3.5
 */
export function readClientCert(value: string, chain = ''): ClientCertificate | undefined {
  const certificate = readByteSequence(value)
  if (certificate === undefined) return undefined
  return { ...toClientCertificate(certificate), isVerified: true, issuers: issuersIn(certificate, chain) }
}

/** The certificates of a PEM file, in its order. Throws what node:crypto throws for a broken one. */
export function certificatesInPem(pem: string): readonly X509Certificate[] {
  return Array.from(pem.matchAll(PEM), ([text]) => new X509Certificate(text))
}

/**
 * The names in node's text of a subjectAltName, such as `DNS:a.example`. A name in quotes holds characters that could imitate
 * another name, so it is left out.
 */
export function subjectAltNames(text: string | undefined): readonly string[] {
  if (text === undefined) return []
  return Array.from(text.matchAll(NAME), ([, kind = '', value = '']) => [kind, value] as const)
    .filter(([, value]) => !value.startsWith('"'))
    .map(([kind, value]) => `${kind}:${value}`)
}

const BYTE_SEQUENCE = /^:([A-Za-z0-9+/]{4,32768}={0,2}):$/
const NAME = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/gy
const PEM = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g
const MAX_CHAIN = 8

function readByteSequence(value: string): X509Certificate | undefined {
  const base64 = BYTE_SEQUENCE.exec(value.trim())?.[1]
  if (base64 === undefined) return undefined
  const der = Buffer.from(base64, 'base64')
  const certificate = parse(der)
  // node:crypto ignores bytes after the certificate.
  return certificate?.raw.equals(der) === true ? certificate : undefined
}

function issuersIn(leaf: X509Certificate, chain: string): readonly string[] {
  const issuers: string[] = []
  let below = leaf
  for (const part of chain === '' ? [] : chain.split(',', MAX_CHAIN)) {
    const issuer = readByteSequence(part)
    if (issuer === undefined || !below.checkIssued(issuer) || !below.verify(issuer.publicKey)) break
    issuers.push(normalizeFingerprint(issuer.fingerprint256))
    below = issuer
  }
  return issuers
}

function parse(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch (error) {
    // OpenSSL throws plain errors: any of them means that this is not a certificate.
    if (error instanceof Error) return undefined
    throw error
  }
}
