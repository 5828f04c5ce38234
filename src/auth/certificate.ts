import { X509Certificate } from 'node:crypto'
import { normalizeFingerprint } from './fingerprint.ts'
import type { ClientCertificate } from './presented.ts'

/** What clients are told apart by in a certificate. */
export function toClientCertificate({ fingerprint256, subjectAltName }: X509Certificate): ClientCertificate {
  return { fingerprint256: normalizeFingerprint(fingerprint256), subjectAltNames: subjectAltNames(subjectAltName) }
}

/** The certificate in a Client-Cert header, or undefined when it holds none. @see RFC 9440, 2.2; RFC 8941, 3.3.5 */
export function readClientCert(value: string): ClientCertificate | undefined {
  const base64 = CLIENT_CERT.exec(value)?.[1]
  if (base64 === undefined) return undefined
  const der = Buffer.from(base64, 'base64')
  const certificate = parse(der)
  // node:crypto overlooks what follows the certificate.
  return certificate?.raw.equals(der) === true ? toClientCertificate(certificate) : undefined
}

/**
 * The names in node's text of a subjectAltName, such as `DNS:a.example`. A name in quotes holds characters that could feign
 * another name: it is left out.
 */
export function subjectAltNames(text: string | undefined): readonly string[] {
  if (text === undefined) return []
  return Array.from(text.matchAll(NAME), ([, kind = '', value = '']) => [kind, value] as const)
    .filter(([, value]) => !value.startsWith('"'))
    .map(([kind, value]) => `${kind}:${value}`)
}

const CLIENT_CERT = /^:([A-Za-z0-9+/]{4,32768}={0,2}):$/
const NAME = /(?:^|, )([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?=, |$)/gy

function parse(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der)
  } catch (error) {
    // OpenSSL's errors are plain ones: whatever it says, this is no certificate.
    if (error instanceof Error) return undefined
    throw error
  }
}
