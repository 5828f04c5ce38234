import { concat, type Filling, holeOf, type Part, type Template } from '../../core/template.ts'
import type { XmlElement } from '../xml/document.ts'
import { escapeAttribute } from '../xml/markup.ts'
import { prefixInScope } from '../xml/reader.ts'
import type { Recipient } from './delivery-data.ts'
import { ENCRYPTED_KEY_BYTES, type EncryptedValue, VALUE_MAC_BYTES, type WrappedKeys } from './encryption.ts'
import { AES256_CBC, HMAC_SHA512, PSKC_NAMESPACE, RSA_OAEP_MGF1P, XMLENC_NAMESPACE } from './fields.ts'

/**
 * The elements that a key provider adds. Each takes the element it goes into, for the prefixes in scope there: a namespace
 * that has none is declared on the added element itself.
 */

/** `Data` with the key in the clear. `plainValue` is the base64 of the key. @see CPIX 2.3, ContentKey */
export function plainData<F extends Filling>(within: XmlElement, plainValue: Part<F>): Template<F> {
  const { cpix, pskc, declarePskc } = names(within)
  return concat<F>(
    `<${cpix}Data><${pskc}Secret${declarePskc}><${pskc}PlainValue>`,
    plainValue,
    `</${pskc}PlainValue></${pskc}Secret></${cpix}Data>`,
  )
}

/** `Data` with the key encrypted under the document key. */
export function encryptedData<F extends Filling>(
  within: XmlElement,
  value: (filling: F) => EncryptedValue,
): Template<F> {
  const { cpix, pskc, declarePskc } = names(within)
  return concat<F>(
    `<${cpix}Data><${pskc}Secret${declarePskc}>`,
    encryptedValue(within, AES256_CBC, ENCRYPTED_KEY_BYTES, value),
    `</${pskc}Secret></${cpix}Data>`,
  )
}

/** How a key provider writes `DocumentKey` and `MACMethod`. */
export type DeliveryDataForm = 'speke' | 'cpix-2.3' | 'cpix-2.4'

/**
 * `DocumentKey` and `MACMethod` for one recipient: in the form that AWS documents, or in that of DASH-IF's
 * own documents; CPIX 2.4 has no @Algorithm on DocumentKey.
 */
export function deliveryData<F extends Filling>(
  within: XmlElement,
  { modulusBytes }: Pick<Recipient, 'modulusBytes'>,
  wrapped: (filling: F) => WrappedKeys,
  form: DeliveryDataForm = 'speke',
): Template<F> {
  const { cpix, pskc, declarePskc, declareEnc } = names(within)
  const wrappedKey = (key: keyof WrappedKeys): Template<F> =>
    form === 'speke'
      ? encryptedValue(within, RSA_OAEP_MGF1P, modulusBytes, keyOf(wrapped, key))
      : cipherData(within, RSA_OAEP_MGF1P, modulusBytes, keyOf(wrapped, key))
  const isSpeke = form === 'speke'
  const algorithm = form === 'cpix-2.4' ? '' : ` Algorithm="${AES256_CBC}"`
  const documentKey = isSpeke
    ? wrappedKey('documentKey')
    : concat<F>(`<${pskc}EncryptedValue${declareEnc}>`, wrappedKey('documentKey'), `</${pskc}EncryptedValue>`)
  return concat<F>(
    `<${cpix}DocumentKey${algorithm}><${cpix}Data><${pskc}Secret${declarePskc}>`,
    documentKey,
    `</${pskc}Secret></${cpix}Data></${cpix}DocumentKey>`,
    `<${cpix}MACMethod Algorithm="${HMAC_SHA512}"><${cpix}Key${isSpeke ? declarePskc : declareEnc}>`,
    wrappedKey('macKey'),
    `</${cpix}Key></${cpix}MACMethod>`,
  )
}

/** `HDCPData`: the level for HLS as an attribute, the fragment for DASH as base64. @see CPIX 2.4, HDCPData */
export function hdcpData(within: XmlElement, level: string | undefined, fragment: string | undefined): string {
  const { cpix } = names(within)
  const attribute = level === undefined ? '' : ` HLSHDCPLevel="${escapeAttribute(level)}"`
  const child =
    fragment === undefined ? '' : `<${cpix}HDCPOutputProtectionData>${fragment}</${cpix}HDCPOutputProtectionData>`
  return `<${cpix}HDCPData${attribute}>${child}</${cpix}HDCPData>`
}

// A separate function: a closure would keep the document of `within` in memory with the answer.
function keyOf<F extends Filling>(wrapped: (filling: F) => WrappedKeys, key: keyof WrappedKeys) {
  return (filling: F): EncryptedValue => wrapped(filling)[key]
}

function encryptedValue<F extends Filling>(
  within: XmlElement,
  algorithm: string,
  cipherBytes: number,
  value: (filling: F) => EncryptedValue,
): Template<F> {
  const { pskc, declareEnc } = names(within)
  return concat<F>(
    `<${pskc}EncryptedValue${declareEnc}>`,
    cipherData(within, algorithm, cipherBytes, value),
    `</${pskc}EncryptedValue><${pskc}ValueMAC>`,
    holeOf<F>(base64Length(VALUE_MAC_BYTES), (filling) => value(filling).valueMac),
    `</${pskc}ValueMAC>`,
  )
}

/** The ciphertext and its algorithm, without a MAC. */
function cipherData<F extends Filling>(
  within: XmlElement,
  algorithm: string,
  cipherBytes: number,
  value: (filling: F) => EncryptedValue,
): Template<F> {
  const { enc } = names(within)
  return concat<F>(
    `<${enc}EncryptionMethod Algorithm="${algorithm}"/><${enc}CipherData><${enc}CipherValue>`,
    holeOf<F>(base64Length(cipherBytes), (filling) => value(filling).cipherValue),
    `</${enc}CipherValue></${enc}CipherData>`,
  )
}

/** How to write names inside an element of a CPIX document: prefixes with their colon, declarations with their space. */
function names(within: XmlElement): Record<'cpix' | 'pskc' | 'enc' | 'declarePskc' | 'declareEnc', string> {
  const pskcInScope = prefixInScope(within, PSKC_NAMESPACE)
  const encInScope = prefixInScope(within, XMLENC_NAMESPACE)
  // A declaration must not hide another prefix that is used inside the element.
  const pskc = pskcInScope ?? freePrefix('pskc', [within.prefix, encInScope])
  const enc = encInScope ?? freePrefix('enc', [within.prefix, pskc])
  return {
    cpix: withColon(within.prefix),
    pskc: withColon(pskc),
    declarePskc: pskcInScope === undefined ? ` xmlns:${pskc}="${PSKC_NAMESPACE}"` : '',
    enc: withColon(enc),
    declareEnc: encInScope === undefined ? ` xmlns:${enc}="${XMLENC_NAMESPACE}"` : '',
  }
}

function freePrefix(fallback: string, taken: readonly (string | undefined)[]): string {
  return [fallback, `${fallback}1`, `${fallback}2`].find((prefix) => !taken.includes(prefix)) ?? fallback
}

function withColon(prefix: string): string {
  return prefix === '' ? '' : `${prefix}:`
}

function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4
}
