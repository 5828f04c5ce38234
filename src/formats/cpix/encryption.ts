import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  timingSafeEqual,
} from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import type { XmlDocument, XmlElement } from '../xml/document.ts'
import { attributeOf, descendantOf, textOf } from '../xml/reader.ts'
import type { Recipient } from './delivery-data.ts'
import { PSKC_NAMESPACE, XMLENC_NAMESPACE } from './fields.ts'

/** A value encrypted and authenticated, both base64. */
export interface EncryptedValue {
  readonly cipherValue: string
  readonly valueMac: string
}

/** Both keys of the document, encrypted for one recipient. */
export interface WrappedKeys {
  readonly documentKey: EncryptedValue
  readonly macKey: EncryptedValue
}

/** The keys of one document: new for every answer, never stored. */
export interface DocumentEncryption {
  wrapFor(recipient: Pick<Recipient, 'publicKey'>): WrappedKeys
  encrypt(contentKey: Uint8Array): EncryptedValue
}

const DOCUMENT_KEY_BYTES = 32
const MAC_KEY_BYTES = 64
/** IV and two blocks: a 16-byte key has a whole block of padding. */
export const ENCRYPTED_KEY_BYTES = 48
export const VALUE_MAC_BYTES = 64
const IV_BYTES = 16
/** Keys of Common Encryption have 16 bytes; some documents have keys of 32. */
const CONTENT_KEY_BYTES: readonly number[] = [16, 32]
const FAILED = 'the encrypted keys cannot be read with this private key'

/**
 * Content key encryption: AES-256-CBC under a document key with the IV in front, HMAC-SHA-512 over IV and ciphertext, both
 * keys under RSA-OAEP with SHA-1. @see CPIX 2.3, Key Management
 */
export function createDocumentEncryption(randomBytes: (size: number) => Uint8Array): DocumentEncryption {
  const documentKeyBytes = randomBytes(DOCUMENT_KEY_BYTES)
  const macKeyBytes = randomBytes(MAC_KEY_BYTES)
  const documentKey = createSecretKey(documentKeyBytes)
  const macKey = createSecretKey(macKeyBytes)
  const macOf = (bytes: Uint8Array): string => createHmac('sha512', macKey).update(bytes).digest('base64')
  const wrap = (publicKey: KeyObject, bytes: Uint8Array): EncryptedValue => {
    const cipher = publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, bytes)
    return { cipherValue: cipher.toString('base64'), valueMac: macOf(cipher) }
  }
  return {
    wrapFor: ({ publicKey }) => ({
      documentKey: wrap(publicKey, documentKeyBytes),
      macKey: wrap(publicKey, macKeyBytes),
    }),
    encrypt(contentKey) {
      const iv = randomBytes(IV_BYTES)
      const aes = createCipheriv('aes-256-cbc', documentKey, iv)
      const cipher = Buffer.concat([iv, aes.update(contentKey), aes.final()])
      return { cipherValue: cipher.toString('base64'), valueMac: macOf(cipher) }
    },
  }
}

/** One document's keys, unwrapped. */
export interface OpenedEncryption {
  decrypt(value: EncryptedValue): Uint8Array
  /** Whether the MAC of a value belongs to its ciphertext: for values that are not encrypted under the document key. */
  isAuthentic(value: EncryptedValue): boolean
}

/** Unwraps one document's keys with the private key of a recipient. Throws ERR_KEY_UNWRAP_FAILED, the same error for every failure. */
export function openDocumentEncryption(
  wrapped: { readonly documentKey: string; readonly macKey: string },
  privateKey: KeyObject,
): OpenedEncryption {
  const unwrap = (cipherValue: string, size: number): KeyObject => {
    const options = { key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }
    const bytes = attempt(() => privateDecrypt(options, Buffer.from(cipherValue, 'base64')))
    if (bytes.length !== size) throw new KeyProviderError('ERR_KEY_UNWRAP_FAILED', FAILED)
    return createSecretKey(bytes)
  }
  const documentKey = unwrap(wrapped.documentKey, DOCUMENT_KEY_BYTES)
  const macKey = unwrap(wrapped.macKey, MAC_KEY_BYTES)
  const isAuthentic = ({ cipherValue, valueMac }: EncryptedValue): boolean => {
    const mac = createHmac('sha512', macKey).update(Buffer.from(cipherValue, 'base64')).digest()
    const given = Buffer.from(valueMac, 'base64')
    return given.length === mac.length && timingSafeEqual(given, mac)
  }
  return {
    isAuthentic,
    decrypt(value) {
      const cipher = Buffer.from(value.cipherValue, 'base64')
      // The MAC is checked first: otherwise the padding of CBC is an oracle.
      if (!isAuthentic(value) || cipher.length < ENCRYPTED_KEY_BYTES) {
        throw new KeyProviderError('ERR_KEY_UNWRAP_FAILED', FAILED)
      }
      const aes = createDecipheriv('aes-256-cbc', documentKey, cipher.subarray(0, IV_BYTES))
      const key = attempt(() => Buffer.concat([aes.update(cipher.subarray(IV_BYTES)), aes.final()]))
      if (!CONTENT_KEY_BYTES.includes(key.length)) throw new KeyProviderError('ERR_KEY_UNWRAP_FAILED', FAILED)
      return key
    },
  }
}

function attempt<T>(decrypt: () => T): T {
  try {
    return decrypt()
  } catch (cause) {
    throw new KeyProviderError('ERR_KEY_UNWRAP_FAILED', FAILED, { cause })
  }
}

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
