import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import { KeyProviderError } from '../../../core/errors.ts'
import { entriesOf } from '../../../formats/cpix/document.ts'
import { type EncryptedValue, type OpenedEncryption, openDocumentEncryption } from '../../../formats/cpix/encryption.ts'
import {
  AES256_CBC,
  CPIX_NAMESPACE,
  HMAC_SHA512,
  PSKC_NAMESPACE,
  XMLDSIG_NAMESPACE,
  XMLENC_NAMESPACE,
} from '../../../formats/cpix/fields.ts'
import type { XmlDocument, XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childrenOf, textOf } from '../../../formats/xml/reader.ts'
import { explainCertificate } from '../certificate.ts'
import {
  error,
  type InspectFinding,
  type InspectNode,
  type InspectOptions,
  node,
  note,
  shownKey,
  warning,
} from '../node.ts'
import { decodeBase64 } from '../text.ts'
import { placeOf } from '../xml.ts'

/** A content key as a document has it. */
export interface ReadKey {
  readonly node: InspectNode
  /** Undefined without a key, and for a key that is encrypted for another recipient. */
  readonly contentKey: Uint8Array | undefined
}

/** The recipients of a document, and how its content keys are read. */
interface DocumentKeys {
  readonly recipients: readonly InspectNode[]
  read(contentKey: XmlElement): ReadKey
}

/** Reads the recipients of a document, and decrypts for the private key if there is one. @see CPIX 2.3, Key Management */
export function readDocumentKeys(
  document: XmlDocument,
  list: XmlElement | undefined,
  options: InspectOptions,
): DocumentKeys {
  let opened: OpenedEncryption | undefined
  const recipients = entriesOf(list, 'DeliveryData').map((element, i) => {
    const recipient =
      i < MAX_OPENED
        ? explainRecipient(document, element, options)
        : { node: node('recipient', undefined, { findings: [note('not read: too many recipients')] }) }
    opened ??= recipient.opened
    return recipient.node
  })
  return { recipients, read: (element) => readKey(document, element, recipients.length > 0, opened, options) }
}

/** Each takes an RSA operation. */
const MAX_OPENED = 64

interface Recipient {
  readonly node: InspectNode
  readonly opened?: OpenedEncryption
}

function explainRecipient(document: XmlDocument, element: XmlElement, options: InspectOptions): Recipient {
  const certificate = descendantOf(element, XMLDSIG_NAMESPACE, 'X509Certificate')
  const decoded = certificate && decodeBase64(textOf(document, certificate))
  const der = decoded !== undefined && 'bytes' in decoded ? decoded.bytes : undefined
  const children = [
    der === undefined
      ? node('X.509 certificate', undefined, { findings: [error('DeliveryKey holds no certificate in base64')] })
      : explainCertificate(der, options),
  ]
  const documentKey = wrappedIn(document, element, 'DocumentKey')
  const macKey = wrappedIn(document, element, 'MACMethod')
  children.push(explainWrapped('DocumentKey', documentKey, 'AES-256, encrypts the content keys', AES256_CBC))
  children.push(explainWrapped('MACMethod', macKey, 'HMAC-SHA512, shows that they are unchanged', HMAC_SHA512))
  const place = placeOf(document, element)
  if (documentKey === undefined || macKey === undefined) {
    const meaning = documentKey === undefined && macKey === undefined ? 'as a request names it' : undefined
    return { node: node('recipient', undefined, { place, meaning, children }) }
  }
  const opening = open(documentKey, macKey, der, options.privateKey)
  return { ...opening, node: node('recipient', undefined, { place, children, findings: opening.findings }) }
}

function open(
  documentKey: Wrapped,
  macKey: Wrapped,
  der: Uint8Array | undefined,
  privateKey: KeyObject | undefined,
): { readonly findings: readonly InspectFinding[]; readonly opened?: OpenedEncryption } {
  if (privateKey === undefined) return { findings: [note('if it is yours, --key PRIVATE-KEY.pem decrypts it')] }
  try {
    const opened = openDocumentEncryption(
      { documentKey: documentKey.cipherValue, macKey: macKey.cipherValue },
      privateKey,
    )
    return { opened, findings: [note('opened with the private key')] }
  } catch (problem) {
    if (!(problem instanceof KeyProviderError)) throw problem
    const isOwn = der !== undefined && isOf(der, privateKey)
    return {
      findings: [
        isOwn
          ? error('names your certificate, yet its keys (32 and 64 bytes, RSA-OAEP with SHA-1) do not open')
          : note('is for another recipient'),
      ],
    }
  }
}

function isOf(der: Uint8Array, privateKey: KeyObject): boolean {
  try {
    return new X509Certificate(der).publicKey.equals(createPublicKey(privateKey))
  } catch (problem) {
    if (problem instanceof Error) return false
    throw problem
  }
}

/** An encrypted value, in whichever of the three shapes it is written. @see cpix.md 5.4 */
interface Wrapped extends EncryptedValue {
  readonly element: XmlElement
  /** Of the element itself and of its EncryptionMethod. */
  readonly algorithm: string | undefined
  readonly method: string | undefined
}

function wrappedIn(document: XmlDocument, parent: XmlElement, local: string): Wrapped | undefined {
  const [element] = childrenOf(parent, CPIX_NAMESPACE, local)
  return element && encryptedIn(document, element)
}

function encryptedIn(document: XmlDocument, element: XmlElement): Wrapped | undefined {
  const cipher = descendantOf(element, XMLENC_NAMESPACE, 'CipherValue')
  if (cipher === undefined) return undefined
  const method = descendantOf(element, XMLENC_NAMESPACE, 'EncryptionMethod')
  const mac = descendantOf(element, PSKC_NAMESPACE, 'ValueMAC')
  return {
    element,
    algorithm: attributeOf(element, 'Algorithm'),
    method: method && attributeOf(method, 'Algorithm'),
    cipherValue: textOf(document, cipher).replaceAll(/\s/g, ''),
    valueMac: mac === undefined ? '' : textOf(document, mac).replaceAll(/\s/g, ''),
  }
}

function explainWrapped(name: string, wrapped: Wrapped | undefined, meaning: string, algorithm: string): InspectNode {
  if (wrapped === undefined) return node(name, 'none')
  const isOther = wrapped.algorithm !== undefined && wrapped.algorithm !== algorithm
  const findings = isOther ? [warning(`Algorithm is not ${algorithm}`)] : []
  return node(name, `${Buffer.from(wrapped.cipherValue, 'base64').length} bytes`, {
    meaning: `${meaning}; itself encrypted by ${wrapped.method ?? 'an unnamed algorithm'}`,
    findings,
  })
}

function readKey(
  document: XmlDocument,
  element: XmlElement,
  hasRecipients: boolean,
  opened: OpenedEncryption | undefined,
  options: InspectOptions,
): ReadKey {
  const secret = descendantOf(element, PSKC_NAMESPACE, 'Secret')
  const plain = secret && descendantOf(secret, PSKC_NAMESPACE, 'PlainValue')
  const encrypted = secret && encryptedIn(document, secret)
  if (secret === undefined || (plain === undefined && encrypted === undefined)) {
    return { node: node('content key', 'none', { meaning: 'a request asks for it' }), contentKey: undefined }
  }
  const place = placeOf(document, secret)
  if (plain !== undefined) {
    const read = readPlain(textOf(document, plain), options)
    const findings = [
      ...read.findings,
      ...(hasRecipients ? [warning('is in the clear although the document names recipients')] : []),
    ]
    const meaning = 'in the clear: everyone who has this document has the key'
    return { contentKey: read.contentKey, node: node('content key', read.value, { place, meaning, findings }) }
  }
  return encrypted === undefined
    ? { node: node('content key'), contentKey: undefined }
    : decrypt(encrypted, opened, place, options)
}

function readPlain(text: string, options: InspectOptions) {
  const decoded = decodeBase64(text)
  if ('problem' in decoded) return { findings: [error(decoded.problem)], value: undefined, contentKey: undefined }
  const { bytes } = decoded
  const findings = bytes.length === 16 ? [] : [error(`a content key has 16 bytes, this has ${bytes.length}`)]
  return { findings, value: shownKey(bytes, options), contentKey: bytes.length === 16 ? bytes : undefined }
}

function decrypt(
  { cipherValue, valueMac, method }: Wrapped,
  opened: OpenedEncryption | undefined,
  place: InspectNode['place'],
  options: InspectOptions,
): ReadKey {
  const findings: InspectFinding[] = []
  if (method !== AES256_CBC) findings.push(warning(`EncryptionMethod is not ${AES256_CBC}`))
  const made = (value: string, mac: string, contentKey?: Uint8Array): ReadKey => ({
    contentKey,
    node: node('content key', value, { place, meaning: 'encrypted', findings, children: [node('ValueMAC', mac)] }),
  })
  if (valueMac === '') {
    findings.push(error('ValueMAC is missing, so a changed key cannot be detected'))
    return made('encrypted', 'missing')
  }
  if (opened === undefined) return made('encrypted', 'not checked without the private key')
  if (!opened.isAuthentic({ cipherValue, valueMac })) {
    findings.push(error('its ValueMAC is not that of HMAC-SHA512 over IV and ciphertext: do not use the key'))
    return made('not decrypted', 'WRONG')
  }
  try {
    const contentKey = opened.decrypt({ cipherValue, valueMac })
    return made(shownKey(contentKey, options), 'right', contentKey)
  } catch (problem) {
    if (!(problem instanceof KeyProviderError)) throw problem
    findings.push(error('its MAC is right, but it does not decrypt to a key'))
    return made('not decrypted', 'right')
  }
}

function descendantOf(element: XmlElement, namespace: string, local: string): XmlElement | undefined {
  for (const child of element.children) {
    const found = child.local === local && child.namespace === namespace ? child : descendantOf(child, namespace, local)
    if (found !== undefined) return found
  }
  return undefined
}
