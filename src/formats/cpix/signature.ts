import { X509Certificate } from 'node:crypto'
import type { XmlDocument, XmlElement } from '../xml/document.ts'
import { attributeOf, childOf, childrenOf, descendantOf, pathOf, textOf } from '../xml/reader.ts'
import type { Cpix } from './document.ts'
import { XMLDSIG_NAMESPACE } from './fields.ts'

/** The result of verifying one XML signature of a CPIX document. */
export interface CheckedSignature {
  readonly element: XmlElement
  /** Such as `CPIX/Signature[2]`. */
  readonly path: string
  /** The signed elements: `CPIX` for the whole document, else the names of lists such as `ContentKeyList`. */
  readonly covers: readonly string[]
  /** SHA-256 of the signer's certificate (DER), in lower-case hex; undefined if it cannot be read. */
  readonly fingerprint: string | undefined
  /** Why the signature is not valid; undefined for a valid signature. */
  readonly problem: string | undefined
}

/** Documents with signatures are small: verifying takes a second parse of the document. */
const MAX_CHARACTERS = 4 * 1024 * 1024
const MAX_SIGNATURES = 8
const MAX_REFERENCES = 16
const MIN_MODULUS_BITS = 2048
const ENVELOPED = `${XMLDSIG_NAMESPACE}enveloped-signature`
const C14N = ['http://www.w3.org/TR/2001/REC-xml-c14n-20010315', 'http://www.w3.org/2001/10/xml-exc-c14n#']
const SIGNATURE_METHODS = [
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
]
const DIGEST_METHODS = ['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512']
const ID_ATTRIBUTES = ['id', 'Id', 'ID']

/**
 * Verifies the XML signatures of a CPIX document: enveloped signatures of the whole document, and signatures of its lists.
 * A valid signature shows that the signed elements are unchanged since they were signed with the key of the certificate in
 * the signature. It does not show whose certificate that is: compare the fingerprint.
 * @see CPIX 2.3, Signature; XML Signature Syntax and Processing 1.1
 */
export async function checkSignatures(cpix: Cpix): Promise<readonly CheckedSignature[]> {
  const { document, signatures } = cpix
  if (signatures.length === 0) return []
  const [{ SignedXml }, { DOMParser }] = await Promise.all([import('xml-crypto'), import('@xmldom/xmldom')])
  const isReadable = document.source.length <= MAX_CHARACTERS && signatures.length <= MAX_SIGNATURES
  const root = isReadable ? new DOMParser().parseFromString(document.source, 'text/xml').documentElement : undefined
  const nodes = Array.from(root?.childNodes ?? []).filter(
    (node) => node.namespaceURI === XMLDSIG_NAMESPACE && node.localName === 'Signature',
  )
  return signatures.map((element, i): CheckedSignature => {
    const path = pathOf(element)
    const unread = { element, path, covers: [], fingerprint: undefined }
    const node = nodes[i]
    if (!isReadable || node === undefined) {
      const problem = `expected at most ${MAX_SIGNATURES} signatures in at most ${MAX_CHARACTERS} characters`
      return { ...unread, problem }
    }
    const read = readSignature(cpix, element)
    if ('problem' in read) return { ...unread, problem: read.problem }
    const { certificate, covers } = read
    const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
    try {
      const signed = new SignedXml({ publicCert: certificate.toString(), getCertFromKeyInfo: () => null })
      signed.loadSignature(node)
      const isValid = signed.checkSignature(document.source)
      const problem = isValid ? undefined : 'the signed elements were changed after they were signed'
      return { element, path, covers, fingerprint, problem }
    } catch (error) {
      if (!(error instanceof Error)) throw error
      // The message of the library can quote digests of the document.
      const problem = 'the signature value does not match the certificate and the signed elements'
      return { element, path, covers, fingerprint, problem }
    }
  })
}

interface ReadSignature {
  readonly certificate: X509Certificate
  readonly covers: readonly string[]
}

/** What a signature signs and with which certificate, or why Keyspring does not accept its form. */
function readSignature(cpix: Cpix, element: XmlElement): ReadSignature | { readonly problem: string } {
  const signedInfo = childOf(element, XMLDSIG_NAMESPACE, 'SignedInfo')
  if (signedInfo === undefined) return { problem: 'SignedInfo is missing' }
  const method = algorithmIn(signedInfo, 'SignatureMethod')
  if (!SIGNATURE_METHODS.includes(method)) return { problem: unsupported('SignatureMethod', SIGNATURE_METHODS) }
  if (!C14N.includes(algorithmIn(signedInfo, 'CanonicalizationMethod')))
    return { problem: unsupported('CanonicalizationMethod', C14N) }
  const references = childrenOf(signedInfo, XMLDSIG_NAMESPACE, 'Reference')
  if (references.length === 0 || references.length > MAX_REFERENCES)
    return { problem: `expected 1 to ${MAX_REFERENCES} Reference elements` }
  const covers: string[] = []
  for (const reference of references) {
    if (!DIGEST_METHODS.includes(algorithmIn(reference, 'DigestMethod')))
      return { problem: unsupported('DigestMethod', DIGEST_METHODS) }
    const transforms = childrenOf(
      childOf(reference, XMLDSIG_NAMESPACE, 'Transforms') ?? reference,
      XMLDSIG_NAMESPACE,
      'Transform',
    ).map((transform) => attributeOf(transform, 'Algorithm') ?? '')
    if (!transforms.every((transform) => transform === ENVELOPED || C14N.includes(transform)))
      return { problem: unsupported('Transform', [ENVELOPED, ...C14N]) }
    const covered = coveredBy(cpix, attributeOf(reference, 'URI'))
    if (covered === undefined)
      return { problem: 'expected Reference/@URI to be empty, or # and the id of one list of the document' }
    covers.push(covered)
  }
  const certificate = certificateOf(cpix.document, element)
  return certificate instanceof X509Certificate ? { certificate, covers } : { problem: certificate }
}

/** The name of the element that a reference signs; undefined unless it is the document or one of its lists. */
function coveredBy({ element, lists }: Cpix, uri: string | undefined): string | undefined {
  if (uri === '') return element.local
  if (uri?.startsWith('#') !== true) return undefined
  const id = uri.slice(1)
  const named = elementsWithId(element, id)
  const [only] = named
  const isList = Object.values(lists).some((list) => list === only)
  return named.length === 1 && (only === element || isList) ? only?.local : undefined
}

function elementsWithId(element: XmlElement, id: string): readonly XmlElement[] {
  const found: XmlElement[] = []
  const visit = (one: XmlElement): void => {
    if (one.attributes.some(({ name, value }) => ID_ATTRIBUTES.includes(name) && value === id)) found.push(one)
    for (const child of one.children) visit(child)
  }
  visit(element)
  return found
}

/** The signer's certificate, or what is wrong with it. */
function certificateOf(document: XmlDocument, signature: XmlElement): X509Certificate | string {
  const keyInfo = childOf(signature, XMLDSIG_NAMESPACE, 'KeyInfo')
  const element = keyInfo && descendantOf(keyInfo, XMLDSIG_NAMESPACE, 'X509Certificate')
  if (element === undefined) return 'KeyInfo/X509Data/X509Certificate is missing, so the signature cannot be verified'
  try {
    const certificate = new X509Certificate(Buffer.from(textOf(document, element), 'base64'))
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
    const isStrong = asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_MODULUS_BITS
    return isStrong ? certificate : `expected a certificate with an RSA key of at least ${MIN_MODULUS_BITS} bits`
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return 'the certificate in KeyInfo cannot be read as X.509'
  }
}

function algorithmIn(element: XmlElement, local: string): string {
  const method = childOf(element, XMLDSIG_NAMESPACE, local)
  return (method && attributeOf(method, 'Algorithm')) ?? ''
}

function unsupported(local: string, supported: readonly string[]): string {
  return `${local}/@Algorithm is not supported; expected ${supported.join(', ')}`
}
