import type { Filling } from '../../core/template.ts'
import type { Kid } from '../../formats/cenc.ts'
import { holdsKey } from '../../formats/cpix/content-key.ts'
import { isDeliveryFor } from '../../formats/cpix/delivery-data.ts'
import { type Cpix, entriesOf } from '../../formats/cpix/document.ts'
import { readDrmSystems } from '../../formats/cpix/drm-system.ts'
import {
  attributeError,
  CPIX_NAMESPACE,
  elementError,
  KID,
  PSKC_NAMESPACE,
  requiredAttribute,
  XMLENC_NAMESPACE,
} from '../../formats/cpix/fields.ts'
import type { XmlElement } from '../../formats/xml/document.ts'
import { applyEdits, type Edit, removeAttribute, removeElement, setContent } from '../../formats/xml/edits.ts'
import { attributeOf, childrenOf } from '../../formats/xml/reader.ts'
import { rejectTooMany } from '../speke/request.ts'

/**
 * The text of a document without keys, IVs, document keys, signalling and signatures: a later request fills them in again.
 * Everything else stays as it was written. `certificate` is the import certificate (DER). Throws ERR_CPIX_INVALID for key
 * material in any other place.
 */
export function stripKeys(cpix: Cpix, certificate: Uint8Array | undefined): string {
  const { document, lists } = cpix
  const contentKeys = entriesOf(lists.ContentKeyList, 'ContentKey')
  const removed = new Set<XmlElement>([
    ...cpix.signatures,
    ...contentKeys.flatMap((key) => childrenOf(key, CPIX_NAMESPACE, 'Data')),
    ...deliveryParts(cpix, certificate),
  ])
  refuseStrayKeys(cpix.element, removed)
  const ivs = contentKeys.flatMap((key) => key.attributes.filter(({ name }) => name === 'explicitIV'))
  const edits: readonly Edit<Filling>[] = [
    ...Array.from(removed, (element) => removeElement<Filling>(document, element)),
    ...ivs.map((iv) => removeAttribute<Filling>(document, iv)),
    ...filledSlots(cpix).map((slot) => setContent<Filling>(document, slot, '')),
  ]
  return applyEdits(document.source, edits).text
}

/** Rejects an IV without its key: an IV is stored with its key only. */
export function refuseBareIvs({ lists }: Cpix): void {
  for (const key of entriesOf(lists.ContentKeyList, 'ContentKey')) {
    if (attributeOf(key, 'explicitIV') === undefined || holdsKey(key)) continue
    throw attributeError(key, 'explicitIV', 'an IV is stored with its key only: add the key, or remove the IV')
  }
}

/** Rejects a text that holds one of the keys in any spelling, in comments and extensions too. */
export function refuseKeysIn(
  text: string,
  cpix: Cpix,
  keys: readonly { readonly kid: Kid; readonly key: Uint8Array }[],
): void {
  const lower = text.toLowerCase()
  for (const { key, kid } of keys) {
    const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
    const spellings = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
    if (lower.includes(bytes.toString('hex')) || spellings.some((spelling) => text.includes(spelling))) {
      throw elementError(
        cpix.element,
        `the key of kid ${kid} also appears outside its Data element; Keyspring stores documents without keys: remove it`,
      )
    }
  }
}

/** Finding our own DeliveryData reads every certificate. The configured limit is checked later. */
const MAX_RECIPIENTS = 64

/** The parts of DeliveryDataList that belong to this document only: the document keys, and the DeliveryData of this server. */
function deliveryParts(cpix: Cpix, certificate: Uint8Array | undefined): readonly XmlElement[] {
  const list = cpix.lists.DeliveryDataList
  const deliveries = entriesOf(list, 'DeliveryData')
  rejectTooMany(deliveries, MAX_RECIPIENTS, 'recipients')
  const isOurs = (delivery: XmlElement): boolean =>
    certificate !== undefined && isDeliveryFor(cpix.document, delivery, certificate)
  const others = deliveries.filter((delivery) => !isOurs(delivery))
  if (list !== undefined && deliveries.length > 0 && others.length === 0) return [list]
  return deliveries.flatMap((delivery) =>
    others.includes(delivery)
      ? ['DocumentKey', 'MACMethod'].flatMap((local) => childrenOf(delivery, CPIX_NAMESPACE, local))
      : [delivery],
  )
}

/** The elements of DRM systems that have text. */
function filledSlots({ lists }: Cpix): readonly XmlElement[] {
  const kids = entriesOf(lists.ContentKeyList, 'ContentKey').map((key) => requiredAttribute(key, 'kid', KID))
  const systems = readDrmSystems(entriesOf(lists.DRMSystemList, 'DRMSystem'), new Set(kids))
  return systems
    .flatMap(({ slots, hlsSignalingData }) => [
      ...Object.values(slots),
      ...hlsSignalingData.map(({ element }) => element),
    ])
    .filter(({ hasText }) => hasText)
}

/** Rejects elements that can hold keys, wherever CPIX has none. */
function refuseStrayKeys(element: XmlElement, removed: ReadonlySet<XmlElement>): void {
  for (const child of element.children) {
    if (removed.has(child)) continue
    if (child.namespace === PSKC_NAMESPACE || child.namespace === XMLENC_NAMESPACE) {
      throw elementError(child, 'key material is not allowed here: Keyspring stores documents without keys')
    }
    refuseStrayKeys(child, removed)
  }
}
