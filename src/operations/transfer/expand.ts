import type { Filling } from '../../core/template.ts'
import type { SignalingElements } from '../../formats/drm/elements.ts'
import { appendContent, applyEdits, type Edit } from '../../formats/xml/edits.ts'
import type { AnsweredKey, SignalSystem } from '../../protocols/speke/layout.ts'
import type { RequestedSystem, SpekeDocument } from '../../protocols/speke/request.ts'
import { deliveryData } from '../export/issued-document.ts'

/** The elements of a DRMSystem in the order of the schema, and what makes each apply. @see CPIX 2.3, DRMSystem */
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

/** Whether a DRMSystem says nothing of what it wants: then it wants everything that applies. @see cpix.md 13 */
export function isEmptySystem({ slots, hlsSignalingData }: RequestedSystem): boolean {
  return Object.keys(slots).length === 0 && hlsSignalingData.length === 0
}

/** The text of a document in which each empty DRMSystem has the elements, still empty, that its system has something to say in. */
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
    const prefix = system.element.prefix === '' ? '' : `${system.element.prefix}:`
    const elements = ELEMENTS.filter(({ of }) => signaling[of] !== undefined).map(({ name, playlist }) => {
      const named = playlist === 'master' && version === '2.4' ? 'multiVariant' : playlist
      return `<${prefix}${name}${named === undefined ? '' : ` playlist="${named}"`}/>`
    })
    return [appendContent(xml, system.element, elements.join(''))]
  })
  return applyEdits(xml.source, edits).text
}

/** The text of a document that names `certificates` as its recipients. It has none of its own. */
export function nameRecipients({ cpix }: SpekeDocument, certificates: readonly Uint8Array[]): string {
  const { element } = cpix
  const prefix = element.prefix === '' ? '' : `${element.prefix}:`
  const list = `<${prefix}DeliveryDataList>${certificates.map((one) => deliveryData(one, prefix)).join('')}</${prefix}DeliveryDataList>`
  const at = element.contentStart
  return applyEdits<Filling>(cpix.document.source, [{ start: at, end: at, replacement: list }]).text
}
