import type { ContentKeyClass, Kid } from '../../formats/cenc.ts'
import { holdsKey } from '../../formats/cpix/content-key.ts'
import { type Cpix, readCpix, requiredEntries } from '../../formats/cpix/document.ts'
import { CPIX_NAMESPACE, elementError, PSKC_NAMESPACE } from '../../formats/cpix/fields.ts'
import { checkSignatures } from '../../formats/cpix/signature.ts'
import type { XmlElement, XmlLimits } from '../../formats/xml/document.ts'
import { attributeOf, childOf, readXml, textOf } from '../../formats/xml/reader.ts'
import { EncryptedKeys, type OpenSecret } from './cpix-encryption.ts'
import { type ImportDraft, type ImportFormat, type ImportInput, MAX_IMPORTED_KEYS, readKid } from './draft.ts'

/**
 * A CPIX document whose keys are clear, or encrypted to the import key. Verifies its XML signatures.
 * @see CPIX 2.3, ContentKey, Key Management, Signature
 */
export const cpixImport: ImportFormat = {
  name: 'cpix',
  async read(input, draft) {
    const cpix = readCpix(readXml(input.bytes, LIMITS))
    await verifySignatures(cpix, draft, input.ignoreSignature)
    const elements = requiredEntries(cpix, 'ContentKeyList', 'ContentKey')
    if (!elements.some(holdsKey)) throw elementError(cpix.element, 'no ContentKey holds a key: expected Data/Secret')
    readCpixKeys(cpix, input, draft)
  },
}

/** Enough for ten thousand keys, each encrypted and for two systems. */
const LIMITS: Partial<XmlLimits> = {
  bytes: 32 * 1024 * 1024,
  elements: 40 * MAX_IMPORTED_KEYS,
  allAttributes: 40 * MAX_IMPORTED_KEYS,
}

/**
 * Verifies the XML signatures of a document, and notes each. `ignore` only notes that they were not verified. Throws
 * ERR_CPIX_INVALID for a signature that is not valid.
 */
export async function verifySignatures(cpix: Cpix, draft: ImportDraft, ignore = false): Promise<void> {
  if (ignore) {
    for (const _ of cpix.signatures) draft.note('CPIX/Signature', 'not verified, because the import ignores signatures')
    return
  }
  for (const { element, path, problem, fingerprint, covers } of await checkSignatures(cpix)) {
    if (problem !== undefined) {
      throw elementError(
        element,
        `the XML signature is not valid: ${problem}. Get the document again from its sender, or import it with --ignore-signature`,
      )
    }
    const certificate = `the certificate with the SHA-256 fingerprint ${fingerprint}`
    draft.note(path, `valid for ${covers.join(', ')}, signed with ${certificate}; Keyspring does not know whose it is`)
  }
}

/** The class of each key of a document. */
interface CpixSelection {
  readonly classOf?: (kid: Kid) => ContentKeyClass | undefined
}

/**
 * Reads the keys of a document. Skips a ContentKey without Data, with a note. Throws ERR_CPIX_INVALID, and
 * ERR_KEY_UNWRAP_FAILED for every failure of decryption.
 */
export function readCpixKeys(
  cpix: Cpix,
  { contentId, importKey }: Pick<ImportInput, 'contentId' | 'importKey'>,
  draft: ImportDraft,
  { classOf = () => undefined }: CpixSelection = {},
): void {
  const encrypted = new EncryptedKeys(cpix, importKey)
  const elements = requiredEntries(cpix, 'ContentKeyList', 'ContentKey')
  for (const [i, element] of elements.entries()) {
    // `pathOf` counts siblings each time, which is too slow for ten thousand keys.
    const path = `CPIX/ContentKeyList/ContentKey${elements.length > 1 ? `[${i + 1}]` : ''}`
    if (!holdsKey(element)) {
      draft.note(path, 'skipped, because it has no Data: its sender encrypts nothing with it, or sends no key')
      continue
    }
    const named = attributeOf(element, 'contentId') ?? cpix.contentId
    if (named !== undefined && contentId !== undefined && named !== contentId) {
      draft.problem(`${path}/@contentId`, 'the document names another content than the import')
      continue
    }
    const kid = attributeOf(element, 'kid')
    const known = readKid(kid ?? '')
    const key = readKey(cpix, element, (secret) => encrypted.open(known, secret))
    // Before CPIX 2.1, documents name the content in CPIX/@id.
    const fields = {
      contentId: named ?? contentId ?? cpix.id,
      kid,
      key,
      iv: attributeOf(element, 'explicitIV'),
      class: known && classOf(known),
    }
    draft.add(fields, (field) => (field === 'contentId' ? contentPlace(path, element) : `${path}/${PLACES[field]}`))
  }
}

const PLACES = { kid: '@kid', key: 'Data/Secret', iv: '@explicitIV', class: '' } as const

/** Where a document names the content of a key. */
function contentPlace(path: string, element: XmlElement): string {
  return attributeOf(element, 'contentId') === undefined ? 'CPIX/@contentId' : `${path}/@contentId`
}

/** The key of a ContentKey: its text, or its bytes if it was encrypted. */
function readKey(cpix: Cpix, element: XmlElement, open: OpenSecret): string | Uint8Array {
  const data = childOf(element, CPIX_NAMESPACE, 'Data')
  const secret = data && childOf(data, PSKC_NAMESPACE, 'Secret')
  if (secret === undefined) throw elementError(element, 'the key is missing: expected Data/Secret')
  const isEncrypted = childOf(secret, PSKC_NAMESPACE, 'EncryptedValue') !== undefined
  const plain = childOf(secret, PSKC_NAMESPACE, 'PlainValue')
  if (isEncrypted === (plain !== undefined)) throw elementError(secret, 'expected either PlainValue or EncryptedValue')
  if (plain === undefined) return open(secret)
  if (cpix.lists.DeliveryDataList !== undefined) {
    throw elementError(plain, 'the key is in the clear although a DeliveryDataList asks for encryption')
  }
  return textOf(cpix.document, plain).replaceAll(/[ \t\r\n]+/g, '')
}
