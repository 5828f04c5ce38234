import type { Filling } from '../../core/template.ts'
import type { SignalingElements } from '../../formats/drm/elements.ts'
import { appendContent, applyEdits, type Edit } from '../../formats/xml/edits.ts'
import { type Markup, writeFragment } from '../../formats/xml/markup.ts'
import type { AnsweredKey, SignalSystem } from './layout.ts'
import type { RequestedSystem, SpekeDocument } from './request.ts'

interface FilledElement {
  readonly name: string
  readonly of: keyof SignalingElements
  readonly playlist?: 'media' | 'master'
}

/** The elements of a DRMSystem in the order of the schema, and the signalling that fills each. @see CPIX 2.3, DRMSystem */
const ELEMENTS: readonly FilledElement[] = [
  { name: 'PSSH', of: 'pssh' },
  { name: 'ContentProtectionData', of: 'contentProtectionData' },
  { name: 'HLSSignalingData', of: 'hlsMedia', playlist: 'media' },
  { name: 'HLSSignalingData', of: 'hlsMaster', playlist: 'master' },
  { name: 'SmoothStreamingProtectionHeaderData', of: 'smoothStreamingProtectionHeaderData' },
]

/** The same for SPEKE 1.0. */
const ELEMENTS_OF_V1: readonly FilledElement[] = [
  { name: 'PSSH', of: 'pssh' },
  { name: 'ContentProtectionData', of: 'contentProtectionData' },
  { name: 'URIExtXKey', of: 'uriExtXKey' },
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
  const isV1 = document.version.major === 1
  const keyOf = new Map(keys.map((key) => [key.kid, key]))
  const edits = document.drmSystems.filter(isEmptySystem).flatMap((system): readonly Edit<Filling>[] => {
    const key = keyOf.get(system.kid)
    if (key === undefined) return []
    const signaling = signal(system, key)
    const applies = ({ of }: FilledElement): boolean =>
      signaling[of] !== undefined &&
      (!isV1 || of !== 'contentProtectionData' || system.system.fillsContentProtectionDataInV1 === true)
    const elements = (isV1 ? ELEMENTS_OF_V1 : ELEMENTS).filter(applies).map(({ name, playlist }): Markup => {
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

function prefixOf({ prefix }: { readonly prefix: string }): string {
  return prefix === '' ? '' : `${prefix}:`
}
