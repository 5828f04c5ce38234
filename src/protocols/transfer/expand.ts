import type { Filling } from '../../core/template.ts'
import { XMLDSIG_NAMESPACE } from '../../formats/cpix/names.ts'
import type { SignalingElements } from '../../formats/drm/elements.ts'
import { appendContent, applyEdits, type Edit } from '../../formats/xml/edits.ts'
import { type Markup, writeFragment } from '../../formats/xml/markup.ts'
import type { AnsweredKey, SignalSystem } from '../speke/layout.ts'
import type { RequestedSystem, SpekeDocument } from '../speke/request.ts'

/** The elements of a DRMSystem in the order of the schema, and the signalling that fills each. @see CPIX 2.3, DRMSystem */
const ELEMENTS: readonly {
  readonly name: string
  readonly of: keyof SignalingElements
  readonly playlist?: 'media' | 'master'
}[] = [
  { name: 'PSSH', of: 'pssh' },
  { name: 'ContentProtectionData', of: 'contentProtectionData' },
  { name: 'HLSSignalingData', of: 'hlsMedia', playlist: 'media' },
  { name: 'HLSSignalingData', of: 'hlsMaster', playlist: 'master' },
  { name: 'SmoothStreamingProtectionHeaderData', of: 'smoothStreamingProtectionHeaderData' },
]

/** Whether a DRMSystem has no elements: then its sender wants every element that applies. */
export function isEmptySystem({ slots, hlsSignalingData }: RequestedSystem): boolean {
  return Object.keys(slots).length === 0 && hlsSignalingData.length === 0
}

/** The text of a document in which each empty DRMSystem has the empty elements that its signalling fills. */
export function expandEmptySystems(
  document: SpekeDocument,
  keys: readonly AnsweredKey[],
  signal: SignalSystem,
): string {
  const { document: xml, version } = document.cpix
  const keyOf = new Map(keys.map((key) => [key.kid, key]))
  const edits = document.drmSystems.filter(isEmptySystem).flatMap((system): readonly Edit<Filling>[] => {
    const key = keyOf.get(system.kid)
    if (key === undefined) return []
    const signaling = signal(system, key)
    const elements = ELEMENTS.filter(({ of }) => signaling[of] !== undefined).map(({ name, playlist }): Markup => {
      const named = playlist === 'master' && version === '2.4' ? 'multiVariant' : playlist
      return {
        name: prefixOf(system.element) + name,
        attributes: named === undefined ? [] : [['playlist', named]],
      }
    })
    return [appendContent(xml, system.element, writeFragment(elements))]
  })
  return applyEdits(xml.source, edits).text
}

/** The text of a document that names these certificates (DER) as its recipients. The document names none of its own. */
export function nameRecipients({ cpix }: SpekeDocument, certificates: readonly Uint8Array[]): string {
  const prefix = prefixOf(cpix.element)
  const list = {
    name: `${prefix}DeliveryDataList`,
    children: certificates.map((one) => deliveryDataMarkup(one, prefix)),
  }
  const at = cpix.element.contentStart
  return applyEdits<Filling>(cpix.document.source, [{ start: at, end: at, replacement: writeFragment([list]) }]).text
}

/** A DeliveryData that names a recipient by its certificate (DER). `prefix` ends with a colon where CPIX has a prefix. */
export function deliveryDataMarkup(certificate: Uint8Array, prefix = ''): Markup {
  const x509 = { name: 'ds:X509Certificate', text: Buffer.from(certificate).toString('base64') }
  const data: Markup = { name: 'ds:X509Data', attributes: [['xmlns:ds', XMLDSIG_NAMESPACE]], children: [x509] }
  return { name: `${prefix}DeliveryData`, children: [{ name: `${prefix}DeliveryKey`, children: [data] }] }
}

function prefixOf({ prefix }: { readonly prefix: string }): string {
  return prefix === '' ? '' : `${prefix}:`
}
