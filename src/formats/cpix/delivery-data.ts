import { createHash, type KeyObject, X509Certificate } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { XmlDocument, XmlElement } from '../xml/document.ts'
import { childrenOf, descendantOf, pathOf, textOf } from '../xml/reader.ts'
import { CPIX_NAMESPACE, elementError, XMLDSIG_NAMESPACE } from './fields.ts'

/** A recipient, for whom an answer is encrypted. @see CPIX 2.3, DeliveryData */
export interface Recipient {
  readonly element: XmlElement
  /** The DeliveryKey element. The answer adds its elements right after it. */
  readonly deliveryKey: XmlElement
  readonly path: string
  readonly publicKey: KeyObject
  /** The size of the RSA modulus, and of a value encrypted with it, in bytes. */
  readonly modulusBytes: number
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: string
  /** Milliseconds since 1970. */
  readonly validFrom: number
  readonly validTo: number
}

const MIN_MODULUS_BITS = 2048
const MAX_MODULUS_BITS = 4096
/** The time of encryption grows with the bits of the exponent; in practice it is 65537. */
const MAX_PUBLIC_EXPONENT = 2n ** 64n
/** The DER of an RSA-4096 certificate with many names is much smaller. */
const MAX_CERTIFICATE_TEXT = 16 * 1024

/** Reads the recipients of a request. Throws ERR_RECIPIENT_INVALID for an unusable certificate, ERR_CPIX_INVALID for parts of an answer. */
export function readRecipients(document: XmlDocument, elements: readonly XmlElement[]): readonly Recipient[] {
  return elements.map((element) => readRecipient(document, element))
}

/** Why a recipient's certificate is not valid at `now` (milliseconds since 1970); undefined for a valid one. */
export function validityProblem(recipient: Pick<Recipient, 'validFrom' | 'validTo'>, now: number): string | undefined {
  if (now < recipient.validFrom) return `is not valid before ${new Date(recipient.validFrom).toISOString()}`
  if (now > recipient.validTo) return `expired on ${new Date(recipient.validTo).toISOString()}`
  return undefined
}

/** The error for a recipient's certificate. */
export function recipientError(path: string, problem: string, cause?: unknown): KeyProviderError {
  return new KeyProviderError('ERR_RECIPIENT_INVALID', `${path}: the certificate ${problem}`, { cause })
}

function readRecipient(document: XmlDocument, element: XmlElement): Recipient {
  for (const child of element.children) {
    if (child.namespace === CPIX_NAMESPACE && (child.local === 'DocumentKey' || child.local === 'MACMethod')) {
      throw elementError(child, 'a request names the recipient only; the key provider adds DocumentKey and MACMethod')
    }
  }
  const [deliveryKey, another] = childrenOf(element, CPIX_NAMESPACE, 'DeliveryKey')
  if (deliveryKey === undefined) throw elementError(element, 'DeliveryKey is missing')
  if (another !== undefined) throw elementError(another, 'a DeliveryData has one DeliveryKey')
  const certificate = descendant(deliveryKey, 'X509Data', 'X509Certificate')
  if (certificate === undefined) throw elementError(deliveryKey, 'expected X509Data/X509Certificate')
  const path = pathOf(certificate)
  return { element, deliveryKey, path, ...readCertificate(textOf(document, certificate), path) }
}

/** Of several certificates, the first is the recipient's own. */
function descendant(element: XmlElement, ...locals: string[]): XmlElement | undefined {
  let at: XmlElement | undefined = element
  for (const local of locals) {
    at = at?.children.find((child) => child.namespace === XMLDSIG_NAMESPACE && child.local === local)
  }
  return at
}

/** Reads the certificate of a recipient, base64 of DER. Throws ERR_RECIPIENT_INVALID, naming `path`, for an unusable one. */
export function readCertificate(text: string, path: string): Omit<Recipient, 'element' | 'deliveryKey' | 'path'> {
  const base64 = text.replaceAll(/[ \t\r\n]+/g, '')
  if (base64 === '') throw recipientError(path, 'is empty')
  if (base64.length > MAX_CERTIFICATE_TEXT)
    throw recipientError(path, `is longer than ${MAX_CERTIFICATE_TEXT} characters`)
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw recipientError(path, 'is not base64 (of DER, without PEM lines)')
  const der = Buffer.from(base64, 'base64')
  let x509: X509Certificate
  let publicKey: KeyObject
  try {
    x509 = new X509Certificate(der)
    publicKey = x509.publicKey
  } catch (cause) {
    throw recipientError(path, 'cannot be read as X.509', cause)
  }
  // X509Certificate also accepts PEM, and ignores bytes after the certificate.
  if (!x509.raw.equals(der)) throw recipientError(path, 'is not the DER of one certificate')
  if (publicKey.asymmetricKeyType !== 'rsa') {
    throw recipientError(path, `holds a key of type ${publicKey.asymmetricKeyType}; content key encryption needs RSA`)
  }
  const { modulusLength = 0, publicExponent = 0n } = publicKey.asymmetricKeyDetails ?? {}
  if (modulusLength < MIN_MODULUS_BITS || modulusLength > MAX_MODULUS_BITS) {
    throw recipientError(
      path,
      `holds an RSA key of ${modulusLength} bits; expected ${MIN_MODULUS_BITS} to ${MAX_MODULUS_BITS}`,
    )
  }
  if (publicExponent < 3n || publicExponent > MAX_PUBLIC_EXPONENT || publicExponent % 2n === 0n) {
    throw recipientError(path, 'holds an RSA key whose public exponent is not an odd number from 3 to 2^64')
  }
  return {
    publicKey,
    modulusBytes: Math.ceil(modulusLength / 8),
    fingerprint: createHash('sha256').update(der).digest('hex'),
    validFrom: x509.validFromDate.getTime(),
    validTo: x509.validToDate.getTime(),
  }
}

/** Whether a DeliveryData names `certificate` (DER), or another certificate of the same public key. */
export function isDeliveryFor(document: XmlDocument, deliveryData: XmlElement, certificate: Uint8Array): boolean {
  const named = descendantOf(deliveryData, XMLDSIG_NAMESPACE, 'X509Certificate')
  if (named === undefined) return false
  const der = Buffer.from(textOf(document, named).replaceAll(/[ \t\r\n]+/g, ''), 'base64')
  if (der.equals(certificate)) return true
  try {
    return new X509Certificate(der).publicKey.equals(new X509Certificate(certificate).publicKey)
  } catch (problem) {
    if (problem instanceof Error) return false
    throw problem
  }
}
