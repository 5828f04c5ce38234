import { X509Certificate } from 'node:crypto'
import { toHex } from './byte-reader.ts'
import { error, type InspectFinding, type InspectNode, type InspectOptions, node, note, warning } from './node.ts'

const PEM = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g

/** The certificates of PEM text, in order. */
export function explainPemCertificates(text: string, options: InspectOptions): InspectNode[] {
  const found = text.match(PEM) ?? []
  if (found.length === 0)
    return [
      node('certificate', undefined, { findings: [error('a certificate begins but does not end, or is not base64')] }),
    ]
  return found.map((pem) => explainCertificate(Buffer.from(pem), options))
}

/** An X.509 certificate (DER or PEM), and whether keys can be encrypted for it. */
export function explainCertificate(bytes: Uint8Array, options: InspectOptions): InspectNode {
  const x509 = readCertificate(bytes)
  if (x509 === undefined) return node('certificate', undefined, { findings: [error('cannot be read as X.509')] })
  const fingerprint = x509.fingerprint256.replaceAll(':', '').toLowerCase()
  const signature = x509.signatureAlgorithm ?? x509.signatureAlgorithmOid
  return node('X.509 certificate', undefined, {
    children: [
      node('subject', oneLine(x509.subject)),
      node('issuer', x509.issuer === x509.subject ? 'itself' : oneLine(x509.issuer)),
      node('serial number', x509.serialNumber.toLowerCase()),
      explainTime('valid from', x509.validFromDate, options.now, 'is not valid yet'),
      explainTime('valid to', x509.validToDate, options.now, 'expired'),
      explainPublicKey(x509),
      node('signature', signature, {
        findings: /sha1|md5/i.test(signature ?? '')
          ? [note('SHA-1 and MD5 can be forged: strict key providers reject it')]
          : [],
      }),
      ...(x509.subjectAltName === undefined ? [] : [node('subjectAltName', x509.subjectAltName)]),
      node('SHA-256', fingerprint, { meaning: 'fingerprint of the DER' }),
      node('size', `${x509.raw.length} bytes of DER`),
    ],
  })
}

/** Whether bytes are the DER of a certificate. */
export function isCertificate(bytes: Uint8Array): boolean {
  return bytes[0] === 0x30 && readCertificate(bytes) !== undefined
}

function readCertificate(bytes: Uint8Array): X509Certificate | undefined {
  try {
    return new X509Certificate(bytes)
  } catch (problem) {
    // OpenSSL has a code for every way to be none.
    if (problem instanceof Error) return undefined
    throw problem
  }
}

function explainTime(name: string, time: Date, now: number | undefined, problem: string): InspectNode {
  const known = !Number.isNaN(time.getTime())
  const isPast = now !== undefined && time.getTime() < now
  const isWrong = now !== undefined && known && isPast === (name === 'valid to')
  return node(name, known ? time.toISOString() : 'no date', { findings: isWrong ? [warning(problem)] : [] })
}

function explainPublicKey(x509: X509Certificate): InspectNode {
  let key: X509Certificate['publicKey']
  try {
    key = x509.publicKey
  } catch (problem) {
    if (!(problem instanceof Error)) throw problem
    return node('public key', undefined, { findings: [error('cannot be read')] })
  }
  const { modulusLength, publicExponent, namedCurve } = key.asymmetricKeyDetails ?? {}
  const details = [modulusLength && `${modulusLength} bits`, publicExponent && `exponent ${publicExponent}`, namedCurve]
  const spki = key.export({ type: 'spki', format: 'der' })
  return node('public key', [key.asymmetricKeyType, ...details.filter(Boolean)].join(', '), {
    findings: fitness(key.asymmetricKeyType, modulusLength),
    children: [node('SubjectPublicKeyInfo', toHex(spki))],
  })
}

function fitness(type: string | undefined, bits = 0): readonly InspectFinding[] {
  if (type !== 'rsa') return [note('content keys are encrypted for RSA keys only')]
  if (bits < 2048) return [warning('content keys are encrypted for RSA keys of 2048 bits and more')]
  return []
}

function oneLine(name: string): string {
  return name.replaceAll('\n', ', ')
}
