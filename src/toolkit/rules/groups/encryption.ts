import { ENCRYPTED_KEY_BYTES, VALUE_MAC_BYTES } from '../../../formats/cpix/encryption.ts'
import { AES256_CBC, CPIX_NAMESPACE, HMAC_SHA512, RSA_OAEP_MGF1P } from '../../../formats/cpix/names.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childOf } from '../../../formats/xml/reader.ts'
import { readEncrypted } from '../open-keys.ts'
import type { Rule } from '../rule.ts'
import { asksForEncryption, type CpixView, type KeyView } from '../view.ts'

/** Rules over content key encryption. @see CPIX 2.3, Key Management; speke.md 9 */
export const ENCRYPTION_RULES: readonly Rule[] = [
  {
    id: 'plain-key-although-encrypted',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption',
    title: 'Where encryption was asked for, no key is in the clear',
    why: 'Keys travel in the clear although the operator meant them encrypted. MediaPackage plays nothing, MediaConvert fails the job.',
    mend: 'Encrypt for every DeliveryData, or refuse; never fall back to PlainValue.',
    *check({ answer, request }) {
      if (!asksForEncryption(request ?? answer)) return
      for (const { plainValue } of answer.keys) {
        if (plainValue !== undefined)
          yield { what: 'PlainValue stands although a DeliveryDataList was sent', at: plainValue }
      }
    },
  },
  {
    id: 'encrypted-key-unasked',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption (optional, asked for by DeliveryDataList)',
    title: 'Keys are encrypted only where a recipient was named',
    why: 'The encryptor has no private key for it.',
    mend: 'Answer with PlainValue where the request has no DeliveryDataList.',
    *check({ answer, request }) {
      if (asksForEncryption(request ?? answer)) return
      for (const { encryptedValue } of answer.keys) {
        if (encryptedValue !== undefined) yield { what: 'the key is encrypted for nobody', at: encryptedValue }
      }
    },
  },
  {
    id: 'document-key-missing',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, DeliveryData',
    title: 'Every DeliveryData has one DocumentKey and one MACMethod',
    why: 'A recipient without them cannot open the keys, or cannot tell whether they were tampered with.',
    mend: 'Add DocumentKey and MACMethod, each encrypted with the certificate, to every DeliveryData.',
    *check({ answer, request }) {
      // A request alone has neither yet.
      if (request === undefined && !answer.keys.some(({ data }) => data)) return
      for (const element of answer.deliveryData) {
        for (const local of ['DocumentKey', 'MACMethod']) {
          const count = element.children.filter(
            (child) => child.local === local && child.namespace === CPIX_NAMESPACE,
          ).length
          if (count !== 1) yield { what: `expected one ${local}, not ${count}`, at: element }
        }
      }
    },
  },
  {
    id: 'encryption-algorithm',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management',
    title: 'Every algorithm of content key encryption is the one of CPIX',
    why: 'Readers know AES-256-CBC for keys, RSA-OAEP with MGF1 and SHA-1 for their recipients, HMAC-SHA512 for MACs, and nothing else.',
    mend: `Name ${AES256_CBC}, ${RSA_OAEP_MGF1P} and ${HMAC_SHA512}.`,
    *check({ answer }) {
      for (const { element, expected } of encryptedParts(answer)) {
        const part = readEncrypted(answer.document, element)
        if (part !== undefined && part.algorithm !== expected) {
          yield { what: `EncryptionMethod/@Algorithm is not ${expected}`, at: part.method ?? element }
        }
      }
      for (const delivery of answer.deliveryData) {
        const method = childOf(delivery, CPIX_NAMESPACE, 'MACMethod')
        if (method !== undefined && attributeOf(method, 'Algorithm') !== HMAC_SHA512) {
          yield { what: `MACMethod/@Algorithm is not ${HMAC_SHA512}`, at: method }
        }
      }
    },
  },
  {
    id: 'document-key-unreadable',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, DocumentKey, MACMethod',
    title: 'Document key and MAC key open with the private key of the certificate',
    why: 'The recipient cannot read a single key: wrong certificate, wrong padding, or keys of the wrong length.',
    mend: 'Encrypt 32 and 64 random bytes with RSA-OAEP (SHA-1, MGF1 with SHA-1, no label) and the public key of the DeliveryKey.',
    *check({ answer, privateKey }) {
      const [first] = answer.deliveryData
      if (privateKey === undefined || first === undefined || answer.opened?.encryption !== undefined) return
      yield { what: 'neither DocumentKey (32 bytes) nor MACMethod (64 bytes) opens with the private key', at: first }
    },
  },
  {
    id: 'encrypted-key-size',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management (AES-256-CBC, IV in front, PKCS#7)',
    title: `An encrypted key has ${ENCRYPTED_KEY_BYTES} bytes: IV and two blocks`,
    why: 'Without the IV in front, or without padding, no reader decrypts it.',
    mend: 'CipherValue is base64 of 16 bytes IV and 32 bytes ciphertext: PKCS#7 adds a whole block to 16 bytes.',
    *check({ answer }) {
      for (const { encryptedValue } of answer.keys) {
        const part = encryptedValue && readEncrypted(answer.document, encryptedValue)
        if (encryptedValue === undefined || part?.cipher.length === ENCRYPTED_KEY_BYTES) continue
        yield {
          what: `CipherValue has ${part?.cipher.length ?? 0} bytes, not ${ENCRYPTED_KEY_BYTES}`,
          at: encryptedValue,
        }
      }
    },
  },
  {
    id: 'value-mac-missing',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management (ValueMAC)',
    title: 'Every encrypted key has its ValueMAC',
    why: 'CPIX requires it and the receiver must check it before it decrypts: without one it must not.',
    mend: 'Add pskc:ValueMAC: HMAC-SHA512 over IV and ciphertext under the MAC key.',
    *check({ answer }) {
      for (const { data, encryptedValue } of answer.keys) {
        const part = data && encryptedValue && readEncrypted(answer.document, data)
        if (part !== undefined && part.valueMac === '')
          yield { what: 'ValueMAC is missing', at: encryptedValue ?? data }
      }
    },
  },
  {
    id: 'value-mac-wrong',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management (ValueMAC)',
    title: 'Every ValueMAC is that of its ciphertext',
    why: 'A receiver that checks, as it must, refuses the key. The samples of AWS show 32 bytes: those are illustrations.',
    mend: `HMAC-SHA512 (${VALUE_MAC_BYTES} bytes) over the decoded CipherValue, IV included, under the MAC key; not over its base64.`,
    *check({ answer }) {
      const encryption = answer.opened?.encryption
      for (const { element, isKey } of encryptedParts(answer)) {
        const part = readEncrypted(answer.document, element)
        if (part === undefined || part.valueMac === '') continue
        const size = Buffer.from(part.valueMac, 'base64').length
        if (size !== VALUE_MAC_BYTES) yield { what: `ValueMAC has ${size} bytes, not ${VALUE_MAC_BYTES}`, at: element }
        else if (encryption?.isAuthentic(part) === false) {
          yield {
            what: `ValueMAC of the ${isKey ? 'content key' : element.local} is not that of its ciphertext`,
            at: element,
          }
        }
      }
    },
  },
  {
    id: 'encrypted-key-unreadable',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management',
    title: 'Every encrypted key decrypts to 16 bytes',
    why: 'The MAC is right, so this is the key provider: another document key, no PKCS#7, or a key of the wrong length.',
    mend: 'Encrypt the 16 raw bytes of the key with the document key of this answer.',
    *check({ answer }) {
      for (const { element, data, encryptedValue, contentKey } of answer.keys) {
        const part = encryptedValue && data && readEncrypted(answer.document, data)
        const isAuthentic = part !== undefined && answer.opened?.encryption?.isAuthentic(part) === true
        if (isAuthentic && contentKey === undefined) yield { what: 'the key does not decrypt to 16 bytes', at: element }
      }
    },
  },
]

interface EncryptedElement {
  readonly element: XmlElement
  readonly expected: string
  readonly isKey: boolean
}

/** What holds an encrypted value, and the algorithm it must name. */
function encryptedParts({ keys, deliveryData }: CpixView): readonly EncryptedElement[] {
  const ofKey = ({ data, encryptedValue }: KeyView): EncryptedElement[] =>
    data === undefined || encryptedValue === undefined ? [] : [{ element: data, expected: AES256_CBC, isKey: true }]
  return [
    ...deliveryData.flatMap((delivery) =>
      delivery.children
        .filter(({ local }) => local === 'DocumentKey' || local === 'MACMethod')
        .map((element) => ({ element, expected: RSA_OAEP_MGF1P, isKey: false })),
    ),
    ...keys.flatMap(ofKey),
  ]
}
