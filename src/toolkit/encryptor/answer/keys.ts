import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../../core/errors.ts'
import { Secret } from '../../../core/secret.ts'
import type { Kid } from '../../../formats/cenc.ts'
import { type Cpix, entriesOf } from '../../../formats/cpix/document.ts'
import {
  type EncryptedValue,
  type OpenedEncryption,
  openDocumentEncryption,
  readEncryptedValue,
} from '../../../formats/cpix/encryption.ts'
import {
  AES256_CBC,
  CPIX_NAMESPACE,
  HMAC_SHA512,
  PSKC_NAMESPACE,
  RSA_OAEP_MGF1P,
  SIXTEEN_BYTES,
  XMLDSIG_NAMESPACE,
} from '../../../formats/cpix/fields.ts'
import type { XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf, childOf, pathOf, textOf } from '../../../formats/xml/reader.ts'
import type { BuiltRequest } from '../request/build.ts'

/** The recipient that can decrypt the keys of an answer. */
export interface Reader {
  /** The certificate in the request (DER). */
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/** Reads the key of a ContentKey. Undefined if it is unreadable, which is a problem unless the private key is absent. */
type KeyReader = (element: XmlElement, kid: Kid) => Secret<Uint8Array> | undefined

/** Returns the reader of the keys of one answer: keys in the clear, or encrypted keys after a check of each MAC. @see CPIX 2.3, Key Management */
export function keyReader(
  cpix: Cpix,
  request: BuiltRequest,
  reader: Reader | undefined,
  findings: Findings,
): KeyReader {
  const opened = request.encrypted && reader !== undefined ? openAnswer(cpix, reader, findings) : undefined
  const { document } = cpix
  return (element) => {
    const secret = descend(element, [CPIX_NAMESPACE, 'Data'], [PSKC_NAMESPACE, 'Secret'])
    const place = `${pathOf(element)}/Data/Secret`
    const plain = secret && childOf(secret, PSKC_NAMESPACE, 'PlainValue')
    const encrypted = secret && childOf(secret, PSKC_NAMESPACE, 'EncryptedValue')
    if (secret === undefined || (plain === undefined && encrypted === undefined)) {
      findings.problem(place, wrongNamespace(element) ?? 'the key is missing')
      return undefined
    }
    if (plain !== undefined) {
      if (request.encrypted) findings.problem(place, 'the key is in the clear although the request asks for encryption')
      const key = SIXTEEN_BYTES.read(textOf(document, plain))
      if (key === undefined) findings.problem(`${place}/PlainValue`, `expected ${SIXTEEN_BYTES.expected}`)
      return key && new Secret(key)
    }
    if (!request.encrypted) {
      findings.problem(place, 'the key is encrypted although the request names no recipient')
      return undefined
    }
    if (opened === undefined) return undefined
    const value = readEncrypted(cpix, secret, AES256_CBC, findings)
    return value && decrypt(opened, value, place, findings)
  }
}

const KEY_NAMESPACES: Readonly<Record<string, string>> = {
  Data: CPIX_NAMESPACE,
  Secret: PSKC_NAMESPACE,
  PlainValue: PSKC_NAMESPACE,
  EncryptedValue: PSKC_NAMESPACE,
}

/** The first element of a ContentKey that has the right name in a wrong namespace, as text for a message. */
export function wrongNamespace(element: XmlElement): string | undefined {
  for (const child of element.children) {
    const expected = Object.hasOwn(KEY_NAMESPACES, child.local) ? KEY_NAMESPACES[child.local] : undefined
    if (expected !== undefined && child.namespace !== expected) {
      const namespace = child.namespace === '' ? 'no namespace' : `the namespace ${child.namespace.slice(0, 128)}`
      return `${child.name} has ${namespace}, expected ${expected}`
    }
    const found = wrongNamespace(child)
    if (found !== undefined) return found
  }
  return undefined
}

function decrypt({ decrypt }: OpenedEncryption, value: EncryptedValue, place: string, { problem }: Findings) {
  if (value.valueMac === '') {
    problem(place, 'ValueMAC is missing; CPIX requires it for every content key')
    return undefined
  }
  try {
    const key = decrypt(value)
    if (key.length === 16) return new Secret(key)
    problem(place, 'the decrypted key must have 16 bytes')
  } catch (error) {
    if (!(error instanceof KeyProviderError)) throw error
    problem(place, 'ValueMAC is not the HMAC-SHA512 of IV and ciphertext, or the key does not decrypt')
  }
  return undefined
}

/** Opens the document key in the DeliveryData of our certificate. */
function openAnswer(cpix: Cpix, { certificate, privateKey }: Reader, findings: Findings): OpenedEncryption | undefined {
  const own = entriesOf(cpix.lists.DeliveryDataList, 'DeliveryData').find((element) => {
    const x509 = descend(
      element,
      [CPIX_NAMESPACE, 'DeliveryKey'],
      [XMLDSIG_NAMESPACE, 'X509Data'],
      [XMLDSIG_NAMESPACE, 'X509Certificate'],
    )
    return x509 !== undefined && Buffer.from(textOf(cpix.document, x509), 'base64').equals(certificate)
  })
  if (own === undefined) {
    findings.problem('CPIX/DeliveryDataList', 'no DeliveryData has the certificate of the request')
    return undefined
  }
  const documentKey = readWrapped(cpix, own, 'DocumentKey', AES256_CBC, findings)
  const macKey = readWrapped(cpix, own, 'MACMethod', HMAC_SHA512, findings)
  if (documentKey === undefined || macKey === undefined) return undefined
  try {
    const opened = openDocumentEncryption(
      { documentKey: documentKey.cipherValue, macKey: macKey.cipherValue },
      privateKey,
    )
    for (const [name, value] of Object.entries({ DocumentKey: documentKey, MACMethod: macKey })) {
      if (value.valueMac !== '' && !opened.isAuthentic(value)) {
        findings.problem(`${pathOf(own)}/${name}`, 'ValueMAC is not the HMAC-SHA512 of the ciphertext')
      }
    }
    return opened
  } catch (error) {
    if (!(error instanceof KeyProviderError)) throw error
    findings.problem(
      pathOf(own),
      'the private key does not decrypt the document key (32 bytes) and the MAC key (64 bytes)',
    )
    return undefined
  }
}

function readWrapped(cpix: Cpix, own: XmlElement, local: string, algorithm: string, findings: Findings) {
  const elements = own.children.filter((child) => child.local === local && child.namespace === CPIX_NAMESPACE)
  const [element] = elements
  if (element === undefined || elements.length > 1) {
    findings.problem(pathOf(own), `expected one ${local}, got ${elements.length}`)
    return undefined
  }
  const named = attributeOf(element, 'Algorithm')
  // CPIX 2.4 removed the attribute from DocumentKey.
  if (named !== undefined && named !== algorithm)
    findings.problem(`${pathOf(element)}/@Algorithm`, `expected ${algorithm}`)
  return readEncrypted(cpix, element, RSA_OAEP_MGF1P, findings)
}

/** The encrypted value inside an element, if it names the right algorithm. */
function readEncrypted(
  { document }: Cpix,
  within: XmlElement,
  algorithm: string,
  { problem }: Findings,
): EncryptedValue | undefined {
  const value = readEncryptedValue(document, within)
  if (value?.method === undefined) {
    problem(pathOf(within), 'expected EncryptionMethod and CipherData/CipherValue')
    return undefined
  }
  if (value.algorithm !== algorithm) problem(`${pathOf(value.method)}/@Algorithm`, `expected ${algorithm}`)
  return value
}

function descend(element: XmlElement, ...steps: readonly (readonly [namespace: string, local: string])[]) {
  let at: XmlElement | undefined = element
  for (const [namespace, local] of steps) at = at && childOf(at, namespace, local)
  return at
}

/** Collects every problem of an answer: its place and the rule it breaks, never a value of the document. */
export interface Findings {
  problem(place: string, rule: string): void
  warning(place: string, rule: string): void
}
