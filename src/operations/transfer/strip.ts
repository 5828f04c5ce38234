import type { Filling } from '../../core/template.ts'
import { type Cpix, entriesOf } from '../../formats/cpix/document.ts'
import { readDrmSystems } from '../../formats/cpix/drm-system.ts'
import { attributeError, elementError } from '../../formats/cpix/error.ts'
import { KID, requiredAttribute } from '../../formats/cpix/fields.ts'
import { CPIX_NAMESPACE, PSKC_NAMESPACE, XMLENC_NAMESPACE } from '../../formats/cpix/names.ts'
import type { XmlElement } from '../../formats/xml/document.ts'
import { applyEdits, type Edit, removeAttribute, removeElement, setContent } from '../../formats/xml/edits.ts'
import { attributeOf, childrenOf } from '../../formats/xml/reader.ts'
import { rejectTooMany } from '../../protocols/speke/request.ts'
import { holdsKey } from '../import/cpix.ts'
import { isDeliveryFor } from '../import/cpix-encryption.ts'
import type { ImportedKey } from '../import/draft.ts'
import type { ImportKey } from '../import/format.ts'

/**
 * The text of a document without keys, IVs, what keys were encrypted with, signalling and signatures: all that is filled in again
 * when it is asked for. Everything else stays as it was written. Refuses key material in any other place.
 */
export function stripKeys(cpix: Cpix, importKey: ImportKey | undefined): string {
  const { document, lists } = cpix
  const contentKeys = entriesOf(lists.ContentKeyList, 'ContentKey')
  const removed = new Set<XmlElement>([
    ...cpix.signatures,
    ...contentKeys.flatMap((key) => childrenOf(key, CPIX_NAMESPACE, 'Data')),
    ...deliveryParts(cpix, importKey),
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

/** Refuses an IV that would be lost: it is kept with its key. */
export function refuseBareIvs({ lists }: Cpix): void {
  for (const key of entriesOf(lists.ContentKeyList, 'ContentKey')) {
    if (attributeOf(key, 'explicitIV') === undefined || holdsKey(key)) continue
    throw attributeError(key, 'explicitIV', 'an IV is kept with its key only: give the key too, or leave the IV out')
  }
}

/** Refuses a text that holds one of the keys in any spelling, a comment or an extension included. */
export function refuseKeysIn(text: string, cpix: Cpix, keys: readonly ImportedKey[]): void {
  const lower = text.toLowerCase()
  for (const { key, kid } of keys) {
    const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
    const spellings = [bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url')]
    if (lower.includes(bytes.toString('hex')) || spellings.some((spelling) => text.includes(spelling))) {
      throw elementError(cpix.element, `the key ${kid} stands outside of its Data too; a document is kept without keys`)
    }
  }
}

/** Telling whether one is ours reads its certificate; how many a document may have is looked at later. */
const MAX_RECIPIENTS = 64

/** What of DeliveryDataList is of this one document: how its keys were encrypted, and that they were encrypted to us. */
function deliveryParts(cpix: Cpix, importKey: ImportKey | undefined): readonly XmlElement[] {
  const list = cpix.lists.DeliveryDataList
  const deliveries = entriesOf(list, 'DeliveryData')
  rejectTooMany(deliveries, MAX_RECIPIENTS, 'recipients')
  const isOurs = (delivery: XmlElement): boolean => importKey !== undefined && isDeliveryFor(cpix, delivery, importKey)
  const others = deliveries.filter((delivery) => !isOurs(delivery))
  if (list !== undefined && deliveries.length > 0 && others.length === 0) return [list]
  return deliveries.flatMap((delivery) =>
    others.includes(delivery)
      ? ['DocumentKey', 'MACMethod'].flatMap((local) => childrenOf(delivery, CPIX_NAMESPACE, local))
      : [delivery],
  )
}

/** The elements of DRM systems that hold something. */
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

/** Elements that carry keys, where nothing that we know of has one. */
function refuseStrayKeys(element: XmlElement, removed: ReadonlySet<XmlElement>): void {
  for (const child of element.children) {
    if (removed.has(child)) continue
    if (child.namespace === PSKC_NAMESPACE || child.namespace === XMLENC_NAMESPACE) {
      throw elementError(child, 'key material has no place here; a document is kept without keys')
    }
    refuseStrayKeys(child, removed)
  }
}
