import type { XmlDocument, XmlElement } from '../xml/document.ts'
import { attributeOf, descendantOf, textOf } from '../xml/reader.ts'
import type { EncryptedValue } from './encryption.ts'
import { PSKC_NAMESPACE, XMLENC_NAMESPACE } from './names.ts'

/** An encrypted value as a document contains it: base64 without white space, and the algorithm it names. */
interface EncryptedElement extends EncryptedValue {
  /** The EncryptionMethod element. */
  readonly method: XmlElement | undefined
  /** EncryptionMethod/@Algorithm. */
  readonly algorithm: string | undefined
}

/**
 * Reads the encrypted value inside an element; undefined without a CipherValue. `valueMac` is '' without a ValueMAC.
 *
 * Writers nest the elements in three ways (EncryptedValue in Secret, in Data/Secret, or EncryptedData around both), so
 * this finds them at any depth. @see CPIX 2.3, Key Management; RFC 6030, 4.2
 */
export function readEncryptedValue(document: XmlDocument, within: XmlElement): EncryptedElement | undefined {
  const value = descendantOf(within, XMLENC_NAMESPACE, 'CipherValue')
  if (value === undefined) return undefined
  const method = descendantOf(within, XMLENC_NAMESPACE, 'EncryptionMethod')
  const mac = descendantOf(within, PSKC_NAMESPACE, 'ValueMAC')
  const compact = (element: XmlElement): string => textOf(document, element).replaceAll(/[ \t\r\n]+/g, '')
  return {
    method,
    algorithm: method && attributeOf(method, 'Algorithm'),
    cipherValue: compact(value),
    valueMac: mac === undefined ? '' : compact(mac),
  }
}
