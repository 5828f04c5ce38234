import { ENCRYPTED_KEY_BYTES, readEncryptedValue, VALUE_MAC_BYTES } from '../../../formats/cpix/encryption.ts'
import { AES256_CBC, CPIX_NAMESPACE, HMAC_SHA512, RSA_OAEP_MGF1P } from '../../../formats/cpix/fields.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childOf } from '../../../formats/xml/reader.ts'
import type { Rule } from '../rule.ts'
import { asksForEncryption, type CpixView, type KeyView } from '../view.ts'

/** Rules about content key encryption. @see CPIX 2.3, Key Management */
export const ENCRYPTION_RULES: readonly Rule[] = [
  {
    id: 'plain-key-although-encrypted',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption',
    title: 'If the request asks for encrypted keys, the answer has no key in the clear',
    why: 'The operator expects that keys do not travel in the clear. MediaPackage plays nothing, and MediaConvert fails the job.',
    fix: 'Encrypt the keys for every DeliveryData, or reject the request. Do not return PlainValue instead.',
    *check({ answer, request }) {
      if (!asksForEncryption(request ?? answer)) return
      for (const { plainValue } of answer.keys) {
        if (plainValue !== undefined)
          yield { what: 'the answer has PlainValue although the request has a DeliveryDataList', at: plainValue }
      }
    },
  },
  {
    id: 'encrypted-key-unasked',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'SPEKE 2.0, Content key encryption (optional, asked for by DeliveryDataList)',
    title: 'Keys are encrypted only if the request names a recipient',
    why: 'The encryptor has no private key to decrypt them.',
    fix: 'Return PlainValue if the request has no DeliveryDataList.',
    *check({ answer, request }) {
      if (asksForEncryption(request ?? answer)) return
      for (const { encryptedValue } of answer.keys) {
        if (encryptedValue !== undefined)
          yield { what: 'the key is encrypted although the request names no recipient', at: encryptedValue }
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
    why: 'Without them a recipient cannot decrypt the keys, or cannot detect that they were modified.',
    fix: 'Add DocumentKey and MACMethod to every DeliveryData, each encrypted with the public key of its certificate.',
    *check({ answer, request }) {
      // A request has neither element yet.
      if (request === undefined && !answer.keys.some(({ data }) => data)) return
      for (const element of answer.deliveryData) {
        for (const local of ['DocumentKey', 'MACMethod']) {
          const count = element.children.filter(
            (child) => child.local === local && child.namespace === CPIX_NAMESPACE,
          ).length
          if (count !== 1) yield { what: `expected one ${local}, got ${count}`, at: element }
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
    title: 'Content key encryption uses the algorithms of CPIX',
    why: 'Readers support only AES-256-CBC for content keys, RSA-OAEP (MGF1 with SHA-1) for the document key, and HMAC-SHA512 for MACs.',
    fix: `Write ${AES256_CBC}, ${RSA_OAEP_MGF1P} and ${HMAC_SHA512}.`,
    *check({ answer }) {
      for (const { element, expected } of encryptedParts(answer)) {
        const part = readEncryptedValue(answer.document, element)
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
    title: 'The private key of the certificate decrypts the document key and the MAC key',
    why: 'The recipient cannot read any key: the certificate, the padding or the key lengths are wrong.',
    fix: 'Encrypt 32 random bytes (document key) and 64 random bytes (MAC key) with RSA-OAEP (SHA-1, MGF1 with SHA-1, no label) and the public key of DeliveryKey.',
    *check({ answer, privateKey }) {
      const [first] = answer.deliveryData
      if (privateKey === undefined || first === undefined || answer.opened?.encryption !== undefined) return
      yield {
        what: 'the private key does not decrypt DocumentKey (32 bytes) and MACMethod (64 bytes) of any DeliveryData',
        at: first,
      }
    },
  },
  {
    id: 'encrypted-key-size',
    group: 'encryption',
    subject: 'answer',
    severity: 'error',
    clause: 'CPIX 2.3, Key Management (AES-256-CBC, IV in front, PKCS#7)',
    title: `An encrypted content key has ${ENCRYPTED_KEY_BYTES} bytes: the IV and two blocks`,
    why: 'No reader can decrypt a value without the IV in front or without padding.',
    fix: 'Write CipherValue as base64 of the 16-byte IV followed by 32 bytes of ciphertext. PKCS#7 adds a whole block to a 16-byte key.',
    *check({ answer }) {
      for (const { encryptedValue } of answer.keys) {
        const part = encryptedValue && readEncryptedValue(answer.document, encryptedValue)
        if (encryptedValue === undefined || bytesOf(part) === ENCRYPTED_KEY_BYTES) continue
        yield {
          what: `CipherValue has ${bytesOf(part)} bytes, expected ${ENCRYPTED_KEY_BYTES}`,
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
    title: 'Every encrypted content key has a ValueMAC',
    why: 'CPIX requires ValueMAC, and a receiver must check it before it decrypts the key.',
    fix: 'Add pskc:ValueMAC: HMAC-SHA512 with the MAC key over IV and ciphertext.',
    *check({ answer }) {
      for (const { data, encryptedValue } of answer.keys) {
        const part = data && encryptedValue && readEncryptedValue(answer.document, data)
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
    title: 'Every ValueMAC matches its ciphertext',
    why: 'A receiver that checks the MAC rejects the key. The 32-byte values in AWS samples are illustrations only.',
    fix: `Calculate HMAC-SHA512 (${VALUE_MAC_BYTES} bytes) with the MAC key over the decoded CipherValue, including the IV. Do not calculate it over the base64 text.`,
    *check({ answer }) {
      const encryption = answer.opened?.encryption
      for (const { element, isKey } of encryptedParts(answer)) {
        const part = readEncryptedValue(answer.document, element)
        if (part === undefined || part.valueMac === '') continue
        const size = Buffer.from(part.valueMac, 'base64').length
        if (size !== VALUE_MAC_BYTES)
          yield { what: `ValueMAC has ${size} bytes, expected ${VALUE_MAC_BYTES}`, at: element }
        else if (encryption?.isAuthentic(part) === false) {
          yield {
            what: `ValueMAC of the ${isKey ? 'content key' : element.local} does not match its ciphertext`,
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
    title: 'Every encrypted content key decrypts to 16 bytes',
    why: 'The MAC is correct, so the key provider encrypted the wrong thing: with another document key, without PKCS#7, or a key of another length.',
    fix: 'Encrypt the 16 raw bytes of the key with the document key of this answer.',
    *check({ answer }) {
      for (const { element, data, encryptedValue, contentKey } of answer.keys) {
        const part = encryptedValue && data && readEncryptedValue(answer.document, data)
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

/** The elements that contain an encrypted value, each with the algorithm it must name. */
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

function bytesOf(value: { readonly cipherValue: string } | undefined): number {
  return value === undefined ? 0 : Buffer.from(value.cipherValue, 'base64').length
}
