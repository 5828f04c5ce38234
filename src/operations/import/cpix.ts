import { type ContentKeyClass, type Kid, toKid } from '../../formats/cenc.ts'
import type { Cpix } from '../../formats/cpix/document.ts'
import { readCpix, requiredEntries } from '../../formats/cpix/document.ts'
import { elementError } from '../../formats/cpix/error.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE } from '../../formats/cpix/names.ts'
import type { XmlElement } from '../../formats/xml/document.ts'
import type { XmlLimits } from '../../formats/xml/limits.ts'
import { attributeOf, childOf, readXml, textOf } from '../../formats/xml/reader.ts'
import { EncryptedKeys, type OpenSecret } from './cpix-encryption.ts'
import { type ImportDraft, MAX_IMPORTED_KEYS } from './draft.ts'
import type { ImportFormat, ImportInput } from './format.ts'

/** A CPIX document with its keys in the clear, or encrypted to the import certificate. @see CPIX 2.3, ContentKey; cpix.md 5 */
export const cpixImport: ImportFormat = {
  name: 'cpix',
  read(input, draft) {
    readCpixKeys(readCpix(readXml(input.bytes, LIMITS)), input, draft)
  },
}

/** Room for ten thousand keys, each encrypted and in two systems. */
const LIMITS: Partial<XmlLimits> = {
  bytes: 32 * 1024 * 1024,
  elements: 40 * MAX_IMPORTED_KEYS,
  allAttributes: 40 * MAX_IMPORTED_KEYS,
}

/** Which keys of a document are read, and the class of each. */
export interface CpixSelection {
  readonly isWanted?: (element: XmlElement) => boolean
  readonly classOf?: (kid: Kid) => ContentKeyClass | undefined
}

/** Reads the keys of a document. Throws ERR_CPIX_INVALID, or ERR_KEY_UNWRAP_FAILED whatever is wrong with what is encrypted. */
export function readCpixKeys(
  cpix: Cpix,
  { contentId, importKey }: Pick<ImportInput, 'contentId' | 'importKey'>,
  draft: ImportDraft,
  { isWanted = () => true, classOf = () => undefined }: CpixSelection = {},
): void {
  const encrypted = new EncryptedKeys(cpix, importKey)
  const elements = requiredEntries(cpix, 'ContentKeyList', 'ContentKey')
  for (const [i, element] of elements.entries()) {
    if (!isWanted(element)) continue
    // As `pathOf` has it, which counts siblings each time: too slow for ten thousand.
    const path = `CPIX/ContentKeyList/ContentKey${elements.length > 1 ? `[${i + 1}]` : ''}`
    const named = attributeOf(element, 'contentId') ?? cpix.contentId
    if (named !== undefined && contentId !== undefined && named !== contentId) {
      draft.problem(`${path}/@contentId`, 'the document names another content than the import does')
      continue
    }
    const kid = attributeOf(element, 'kid')
    const known = toKid(kid ?? '')
    const key = readKey(cpix, element, (secret) => encrypted.open(known, secret))
    const keyClass = known && classOf(known)
    const fields = { contentId: named ?? contentId, kid, key, iv: attributeOf(element, 'explicitIV'), class: keyClass }
    draft.add(fields, (field) => `${path}/${PLACES[field]}`)
  }
}

const PLACES = { contentId: '@contentId', kid: '@kid', key: 'Data/Secret', iv: '@explicitIV', class: '' } as const

/** The key of a ContentKey: its text, or its bytes where it was encrypted. */
function readKey(cpix: Cpix, element: XmlElement, open: OpenSecret): string | Uint8Array {
  const data = childOf(element, CPIX_NAMESPACE, 'Data')
  const secret = data && childOf(data, PSKC_NAMESPACE, 'Secret')
  if (secret === undefined) throw elementError(element, 'the key is missing: expected Data/Secret')
  const isEncrypted = childOf(secret, PSKC_NAMESPACE, 'EncryptedValue') !== undefined
  const plain = childOf(secret, PSKC_NAMESPACE, 'PlainValue')
  if (isEncrypted === (plain !== undefined)) throw elementError(secret, 'expected either PlainValue or EncryptedValue')
  if (plain === undefined) return open(secret)
  if (cpix.lists.DeliveryDataList !== undefined) {
    throw elementError(plain, 'a key in the clear stands beside a DeliveryDataList, which asks for encryption')
  }
  return textOf(cpix.document, plain).replaceAll(/[ \t\r\n]+/g, '')
}
