import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { readEncryptedValue } from '../../formats/cpix/encrypted-value.ts'
import { type OpenedEncryption, openDocumentEncryption } from '../../formats/cpix/encryption.ts'
import { CPIX_NAMESPACE } from '../../formats/cpix/names.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { childOf } from '../../formats/xml/reader.ts'

/** The encrypted keys of a document, opened with a private key. */
export interface OpenedKeys {
  /** Undefined if the private key opens no DeliveryData. */
  readonly encryption: OpenedEncryption | undefined
  /** Returns the 16-byte content key in a Secret, or undefined if its MAC is wrong or it does not decrypt. */
  decrypt(secret: XmlElement): Uint8Array | undefined
}

/** Opens the keys of a document with a private key. It never throws: the rules report what does not open. */
export function openKeys(
  document: XmlDocument,
  deliveryData: readonly XmlElement[],
  privateKey: KeyObject,
): OpenedKeys {
  const encryption = deliveryData.map((element) => openDelivery(document, element, privateKey)).find((one) => one)
  return {
    encryption,
    decrypt(secret) {
      const value = readEncryptedValue(document, secret)
      if (value === undefined || encryption === undefined) return undefined
      const key = attempt(() => encryption.decrypt(value))
      return key?.length === 16 ? key : undefined
    },
  }
}

function openDelivery(document: XmlDocument, element: XmlElement, privateKey: KeyObject): OpenedEncryption | undefined {
  const [documentKey, macKey] = ['DocumentKey', 'MACMethod'].map((local) => {
    const child = childOf(element, CPIX_NAMESPACE, local)
    return child && readEncryptedValue(document, child)
  })
  if (documentKey === undefined || macKey === undefined) return undefined
  return attempt(() =>
    openDocumentEncryption({ documentKey: documentKey.cipherValue, macKey: macKey.cipherValue }, privateKey),
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
