import { X509Certificate } from 'node:crypto'
import { type Kid, toKid } from '../../formats/cenc.ts'
import { type Cpix, entriesOf } from '../../formats/cpix/document.ts'
import { type EncryptedValue, openDocumentEncryption } from '../../formats/cpix/encryption.ts'
import { elementError } from '../../formats/cpix/error.ts'
import {
  AES256_CBC,
  CPIX_NAMESPACE,
  HMAC_SHA512,
  PSKC_NAMESPACE,
  RSA_OAEP_MGF1P,
  XMLDSIG_NAMESPACE,
  XMLENC_NAMESPACE,
} from '../../formats/cpix/names.ts'
import type { XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, childrenOf, textOf } from '../../formats/xml/reader.ts'
import type { ImportKey } from './format.ts'

/** Decrypts what stands in a `Secret`. Every failure is one and the same ERR_KEY_UNWRAP_FAILED. */
export type OpenSecret = (secret: XmlElement) => Uint8Array

/** RSA operations that one document may cost; CPIX 2.4 has a document key for each group of kids. */
const MAX_DOCUMENT_KEYS = 16
const MAX_RECIPIENTS = 64

/**
 * What opens the keys of a document that are encrypted to `importKey`, by kid. The document keys are unwrapped when the first key
 * is read, and each MAC is verified before its value is decrypted.
 * @see CPIX 2.3, Key Management; CPIX 2.4, DocumentKey@encryptsKey
 */
export function keysForUs(cpix: Cpix, importKey: ImportKey | undefined): (kid: Kid | undefined) => OpenSecret {
  let opened: readonly { readonly kids: ReadonlySet<Kid> | undefined; readonly open: OpenSecret }[] | undefined
  return (kid) => {
    opened ??= openDeliveryData(cpix, deliveryDataOf(cpix, importKey))
    const own = opened.find(({ kids }) => kids === undefined || (kid !== undefined && kids.has(kid)))
    if (own === undefined) throw elementError(cpix.element, `no DocumentKey encrypts the key ${kid}`)
    return own.open
  }
}

interface Ours {
  readonly element: XmlElement
  readonly importKey: ImportKey
}

/** Whether a DeliveryData names the import certificate: the same certificate, or another of the same key. */
export function isDeliveryFor(cpix: Cpix, deliveryData: XmlElement, importKey: ImportKey): boolean {
  const certificate = descendantOf(deliveryData, XMLDSIG_NAMESPACE, 'X509Certificate')
  if (certificate === undefined) return false
  const der = Buffer.from(compact(textOf(cpix.document, certificate)), 'base64')
  if (der.equals(importKey.certificate)) return true
  try {
    return new X509Certificate(der).publicKey.equals(new X509Certificate(importKey.certificate).publicKey)
  } catch (problem) {
    if (problem instanceof Error) return false
    throw problem
  }
}

function deliveryDataOf(cpix: Cpix, importKey: ImportKey | undefined): Ours {
  if (importKey === undefined) {
    throw elementError(
      cpix.element,
      'its keys are encrypted, and there is no import certificate: name it by --import-key or api.importKeyFile',
    )
  }
  const list = cpix.lists.DeliveryDataList
  const element = entriesOf(list, 'DeliveryData')
    .slice(0, MAX_RECIPIENTS)
    .find((one) => isDeliveryFor(cpix, one, importKey))
  if (element !== undefined) return { element, importKey }
  const { fingerprint256 } = new X509Certificate(importKey.certificate)
  throw elementError(
    list ?? cpix.element,
    `the keys are encrypted for others; expected a DeliveryData with the import certificate of this server (SHA-256 ${fingerprint256})`,
  )
}

function openDeliveryData({ document }: Cpix, { element, importKey }: Ours) {
  const macMethod = childrenOf(element, CPIX_NAMESPACE, 'MACMethod')[0]
  const documentKeys = childrenOf(element, CPIX_NAMESPACE, 'DocumentKey')
  if (macMethod === undefined)
    throw elementError(element, 'MACMethod is missing: nothing would show that the keys were changed')
  if (documentKeys.length === 0) throw elementError(element, 'DocumentKey is missing')
  const beyond = documentKeys[MAX_DOCUMENT_KEYS]
  if (beyond !== undefined) throw elementError(beyond, `expected at most ${MAX_DOCUMENT_KEYS} document keys`)
  requireAlgorithm(macMethod, HMAC_SHA512)
  const macKey = cipherValueOf(macMethod, RSA_OAEP_MGF1P)

  return documentKeys.map((documentKey) => {
    const encryptsKey = attributeOf(documentKey, 'encryptsKey')
    if (encryptsKey === undefined && documentKeys.length > 1)
      throw elementError(documentKey, 'attribute encryptsKey is missing')
    const documentKeyValue = cipherValueOf(documentKey, RSA_OAEP_MGF1P)
    const { decrypt } = openDocumentEncryption({ documentKey: documentKeyValue, macKey }, importKey.privateKey)
    return {
      kids:
        encryptsKey === undefined ? undefined : new Set(encryptsKey.split(/\s+/).flatMap((text) => toKid(text) ?? [])),
      open: (secret: XmlElement): Uint8Array => decrypt(encryptedValueOf(secret)),
    }
  })

  function encryptedValueOf(secret: XmlElement): EncryptedValue {
    const mac = childrenOf(secret, PSKC_NAMESPACE, 'ValueMAC')[0]
    if (mac === undefined) throw elementError(secret, 'ValueMAC is missing')
    return { cipherValue: cipherValueOf(secret, AES256_CBC), valueMac: compact(textOf(document, mac)) }
  }

  /** In whichever of the three shapes it is written. @see cpix.md 5.4 */
  function cipherValueOf(within: XmlElement, algorithm: string): string {
    const method = descendantOf(within, XMLENC_NAMESPACE, 'EncryptionMethod')
    if (method !== undefined) requireAlgorithm(method, algorithm)
    const value = descendantOf(within, XMLENC_NAMESPACE, 'CipherValue')
    if (value === undefined) throw elementError(within, 'CipherValue is missing')
    return compact(textOf(document, value))
  }
}

function requireAlgorithm(element: XmlElement, algorithm: string): void {
  if (attributeOf(element, 'Algorithm') !== algorithm)
    throw elementError(element, `expected @Algorithm to be ${algorithm}`)
}

/** The first element of that name below `element`. */
function descendantOf(element: XmlElement, namespace: string, local: string): XmlElement | undefined {
  for (const child of element.children) {
    if (child.namespace === namespace && child.local === local) return child
    const found = descendantOf(child, namespace, local)
    if (found !== undefined) return found
  }
  return undefined
}

function compact(text: string): string {
  return text.replaceAll(/[ \t\r\n]+/g, '')
}
