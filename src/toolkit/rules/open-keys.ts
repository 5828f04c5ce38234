import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { type EncryptedValue, type OpenedEncryption, openDocumentEncryption } from '../../formats/cpix/encryption.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, XMLENC_NAMESPACE } from '../../formats/cpix/names.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, childOf, textOf } from '../../formats/xml/reader.ts'

/** An encrypted value as it stands, in whichever of the three shapes it is written. @see cpix.md 5.4 */
export interface EncryptedPart extends EncryptedValue {
  readonly method: XmlElement | undefined
  readonly algorithm: string | undefined
  readonly cipher: Buffer
}

/** What a private key made of a document's encryption. */
export interface OpenedKeys {
  /** Undefined: no DeliveryData opens with this private key. */
  readonly encryption: OpenedEncryption | undefined
  /** The content key in an element, once its MAC is right. */
  decrypt(secret: XmlElement): Uint8Array | undefined
}

/** Opens the keys of a document with a private key. Failures are for rules to tell. */
export function openKeys(
  document: XmlDocument,
  deliveryData: readonly XmlElement[],
  privateKey: KeyObject,
): OpenedKeys {
  const encryption = deliveryData.map((element) => openDelivery(document, element, privateKey)).find((one) => one)
  return {
    encryption,
    decrypt(secret) {
      const part = readEncrypted(document, secret)
      if (part === undefined || encryption === undefined) return undefined
      const key = attempt(() => encryption.decrypt(part))
      return key?.length === 16 ? key : undefined
    },
  }
}

/** The one encrypted value inside an element, `valueMac` '' without one; undefined where there is none. */
export function readEncrypted(document: XmlDocument, within: XmlElement): EncryptedPart | undefined {
  const value = findElement(within, XMLENC_NAMESPACE, 'CipherValue')
  if (value === undefined) return undefined
  const method = findElement(within, XMLENC_NAMESPACE, 'EncryptionMethod')
  const mac = findElement(within, PSKC_NAMESPACE, 'ValueMAC')
  const compact = (element: XmlElement): string => textOf(document, element).replaceAll(/\s+/g, '')
  const cipherValue = compact(value)
  return {
    method,
    algorithm: method && attributeOf(method, 'Algorithm'),
    cipherValue,
    cipher: Buffer.from(cipherValue, 'base64'),
    valueMac: mac === undefined ? '' : compact(mac),
  }
}

/** The first element of a name anywhere inside. */
export function findElement(element: XmlElement, namespace: string, local: string): XmlElement | undefined {
  for (const child of element.children) {
    const found = child.local === local && child.namespace === namespace ? child : findElement(child, namespace, local)
    if (found !== undefined) return found
  }
  return undefined
}

function openDelivery(document: XmlDocument, element: XmlElement, privateKey: KeyObject): OpenedEncryption | undefined {
  const documentKey = childOf(element, CPIX_NAMESPACE, 'DocumentKey')
  const macMethod = childOf(element, CPIX_NAMESPACE, 'MACMethod')
  const wrapped = documentKey && readEncrypted(document, documentKey)
  const wrappedMac = macMethod && readEncrypted(document, macMethod)
  if (wrapped === undefined || wrappedMac === undefined) return undefined
  return attempt(() =>
    openDocumentEncryption({ documentKey: wrapped.cipherValue, macKey: wrappedMac.cipherValue }, privateKey),
  )
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof KeyProviderError) return undefined
    throw error
  }
}
