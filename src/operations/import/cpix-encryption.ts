import { X509Certificate } from 'node:crypto'
import { type Kid, toKid } from '../../formats/cenc.ts'
import { isDeliveryFor } from '../../formats/cpix/delivery-data.ts'
import { type Cpix, entriesOf } from '../../formats/cpix/document.ts'
import { type EncryptedValue, openDocumentEncryption, readEncryptedValue } from '../../formats/cpix/encryption.ts'
import { AES256_CBC, CPIX_NAMESPACE, elementError, HMAC_SHA512, RSA_OAEP_MGF1P } from '../../formats/cpix/fields.ts'
import type { XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, childrenOf } from '../../formats/xml/reader.ts'
import type { ImportKey } from './draft.ts'

/** Decrypts the key in a `Secret`. Every failure is the same ERR_KEY_UNWRAP_FAILED. */
export type OpenSecret = (secret: XmlElement) => Uint8Array

/** RSA operations that one document may cost; CPIX 2.4 has a document key for each group of kids. */
const MAX_DOCUMENT_KEYS = 16
const MAX_RECIPIENTS = 64

/**
 * Opens the keys of a document that are encrypted to `importKey`, by kid. Unwraps the document keys when the first key is
 * read, and verifies the MAC of each value before it decrypts it. Throws ERR_CPIX_INVALID, ERR_KEY_UNWRAP_FAILED.
 * @see CPIX 2.3, Key Management; CPIX 2.4, DocumentKey@encryptsKey
 */
export class EncryptedKeys {
  readonly #cpix: Cpix
  readonly #importKey: ImportKey | undefined
  #opened: readonly { readonly kids: ReadonlySet<Kid> | undefined; readonly open: OpenSecret }[] | undefined

  constructor(cpix: Cpix, importKey: ImportKey | undefined) {
    this.#cpix = cpix
    this.#importKey = importKey
  }

  /** The key of a kid, 16 or 32 bytes, from its `Secret`. */
  open(kid: Kid | undefined, secret: XmlElement): Uint8Array {
    this.#opened ??= openDeliveryData(this.#cpix, deliveryDataOf(this.#cpix, this.#importKey))
    const own = this.#opened.find(({ kids }) => kids === undefined || (kid !== undefined && kids.has(kid)))
    if (own === undefined) throw elementError(this.#cpix.element, `no DocumentKey encrypts the key of kid ${kid}`)
    return own.open(secret)
  }
}

interface OwnDelivery {
  readonly element: XmlElement
  readonly importKey: ImportKey
}

function deliveryDataOf(cpix: Cpix, importKey: ImportKey | undefined): OwnDelivery {
  if (importKey === undefined) {
    throw elementError(
      cpix.element,
      'the keys are encrypted, and no import key is set: name it with --import-key or api.importKeyFile',
    )
  }
  const list = cpix.lists.DeliveryDataList
  const element = entriesOf(list, 'DeliveryData')
    .slice(0, MAX_RECIPIENTS)
    .find((one) => isDeliveryFor(cpix.document, one, importKey.certificate))
  if (element !== undefined) return { element, importKey }
  const { fingerprint256 } = new X509Certificate(importKey.certificate)
  throw elementError(
    list ?? cpix.element,
    `the keys are encrypted for other recipients; expected a DeliveryData with the import certificate of this server (SHA-256 ${fingerprint256})`,
  )
}

function openDeliveryData({ document }: Cpix, { element, importKey }: OwnDelivery) {
  const macMethod = childrenOf(element, CPIX_NAMESPACE, 'MACMethod')[0]
  const documentKeys = childrenOf(element, CPIX_NAMESPACE, 'DocumentKey')
  if (macMethod === undefined) throw elementError(element, 'MACMethod is missing: a changed key could not be found')
  if (documentKeys.length === 0) throw elementError(element, 'DocumentKey is missing')
  const beyond = documentKeys[MAX_DOCUMENT_KEYS]
  if (beyond !== undefined) throw elementError(beyond, `expected at most ${MAX_DOCUMENT_KEYS} document keys`)
  if (attributeOf(macMethod, 'Algorithm') !== HMAC_SHA512)
    throw elementError(macMethod, `expected @Algorithm to be ${HMAC_SHA512}`)
  const macKey = encryptedIn(macMethod, RSA_OAEP_MGF1P).cipherValue

  return documentKeys.map((documentKey) => {
    const encryptsKey = attributeOf(documentKey, 'encryptsKey')
    if (encryptsKey === undefined && documentKeys.length > 1)
      throw elementError(documentKey, 'attribute encryptsKey is missing')
    const wrapped = { documentKey: encryptedIn(documentKey, RSA_OAEP_MGF1P).cipherValue, macKey }
    const { decrypt } = openDocumentEncryption(wrapped, importKey.privateKey)
    return {
      kids:
        encryptsKey === undefined ? undefined : new Set(encryptsKey.split(/\s+/).flatMap((text) => toKid(text) ?? [])),
      open(secret: XmlElement): Uint8Array {
        const value = encryptedIn(secret, AES256_CBC)
        if (value.valueMac === '') throw elementError(secret, 'ValueMAC is missing')
        return decrypt(value)
      },
    }
  })

  function encryptedIn(within: XmlElement, algorithm: string): EncryptedValue {
    const value = readEncryptedValue(document, within)
    if (value === undefined) throw elementError(within, 'CipherValue is missing')
    if (value.method !== undefined && value.algorithm !== algorithm)
      throw elementError(value.method, `expected @Algorithm to be ${algorithm}`)
    return value
  }
}
