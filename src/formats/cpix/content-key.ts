import { detached } from '../../core/detached.ts'
import type { Kid } from '../cenc.ts'
import type { XmlElement } from '../xml/document.ts'
import { attributeOf, childOf } from '../xml/reader.ts'
import {
  attribute,
  attributeError,
  CPIX_NAMESPACE,
  elementError,
  KID,
  requiredAttribute,
  SIXTEEN_BYTES,
} from './fields.ts'

/** A content key of a request. @see CPIX 2.3, ContentKey */
export interface ContentKey {
  readonly element: XmlElement
  readonly kid: Kid
  /** The kid in the spelling of the request. */
  readonly kidText: string
  /** As sent; '' when sent empty. The SPEKE version decides which values are allowed. */
  readonly commonEncryptionScheme: string | undefined
  /** The text as sent; it decodes to 16 bytes. */
  readonly explicitIv: string | undefined
  readonly hdcpData: XmlElement | undefined
}

/** Reads the keys of a request. Throws ERR_CPIX_INVALID for a kid that occurs twice and a key that already has its value. */
export function readContentKeys(elements: readonly XmlElement[]): readonly ContentKey[] {
  const seen = new Set<Kid>()
  return elements.map((element) => {
    const key = readContentKey(element)
    if (seen.has(key.kid)) throw attributeError(element, 'kid', `another ContentKey has the kid ${key.kid}`)
    seen.add(key.kid)
    return key
  })
}

/** Whether a ContentKey contains its key, in the clear or encrypted. */
export function holdsKey(element: XmlElement): boolean {
  return childOf(element, CPIX_NAMESPACE, 'Data') !== undefined
}

function readContentKey(element: XmlElement): ContentKey {
  const kid = detached(requiredAttribute(element, 'kid', KID))
  // Some encryptors send the attribute empty to get an IV.
  const sentIv = attributeOf(element, 'explicitIV')
  const explicitIv = sentIv?.trim() === '' ? undefined : sentIv
  if (explicitIv !== undefined) attribute(element, 'explicitIV', SIXTEEN_BYTES)
  let hdcpData: XmlElement | undefined
  for (const child of element.children) {
    if (child.namespace !== CPIX_NAMESPACE) continue
    if (child.local === 'Data') {
      throw elementError(
        child,
        'a request asks for a key, it does not hold one; remove Data, or import the key as an override',
      )
    }
    if (child.local !== 'HDCPData') continue
    if (hdcpData !== undefined) throw elementError(child, 'a ContentKey has one HDCPData')
    hdcpData = child
  }
  return {
    element,
    kid,
    kidText: attributeOf(element, 'kid') ?? kid,
    commonEncryptionScheme: attributeOf(element, 'commonEncryptionScheme'),
    explicitIv,
    hdcpData,
  }
}
