import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../core/errors.ts'
import type { Kid } from '../formats/cenc.ts'
import { entriesOf, readCpix } from '../formats/cpix/document.ts'
import { attribute, elementError, KID, requiredAttribute, SIXTEEN_BYTES } from '../formats/cpix/fields.ts'
import type { XmlDocument } from '../formats/xml/document.ts'
import { attributeOf, pathOf } from '../formats/xml/reader.ts'
import { readDocumentKeys } from '../toolkit/inspect/cpix/keys.ts'
import { findingsIn } from '../toolkit/inspect/node.ts'

/** A content key of a CPIX document. */
export interface CpixContentKey {
  readonly kid: Kid
  readonly commonEncryptionScheme: string | undefined
  readonly explicitIv: Uint8Array | undefined
  /** 16 bytes. Undefined in a request, or if the key is encrypted and the private key does not match. */
  readonly contentKey: Uint8Array | undefined
}

/**
 * Returns the content keys of a CPIX document and decrypts keys with `privateKey`. Throws ERR_KEY_UNWRAP_FAILED for a key
 * whose MAC is missing or wrong, and ERR_CPIX_INVALID for an invalid key.
 */
export function readCpixKeys(
  document: XmlDocument,
  options: { readonly privateKey?: KeyObject } = {},
): readonly CpixContentKey[] {
  const { lists } = readCpix(document)
  const keys = readDocumentKeys(document, lists.DeliveryDataList, options)
  return entriesOf(lists.ContentKeyList, 'ContentKey').map((element) => {
    const kid = requiredAttribute(element, 'kid', KID)
    const { node, contentKey } = keys.read(element)
    const problem = findingsIn([node]).find(({ severity }) => severity === 'error')
    if (problem !== undefined) {
      if (node.meaning !== 'encrypted') throw elementError(element, problem.message)
      throw new KeyProviderError('ERR_KEY_UNWRAP_FAILED', `${pathOf(element)}: ${problem.message}`)
    }
    return {
      kid,
      commonEncryptionScheme: attributeOf(element, 'commonEncryptionScheme'),
      explicitIv: plain(attribute(element, 'explicitIV', SIXTEEN_BYTES)),
      contentKey: plain(contentKey),
    }
  })
}

/** Copies bytes to a plain Uint8Array, so that no Buffer leaves the package. */
function plain(bytes: Uint8Array | undefined): Uint8Array | undefined {
  return bytes && new Uint8Array(bytes)
}
