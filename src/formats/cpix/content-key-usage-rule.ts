import { type Kid, toKid } from '../cenc.ts'
import type { XmlElement } from '../xml/document.ts'
import { attributeOf } from '../xml/reader.ts'
import { CPIX_NAMESPACE, collapse } from './fields.ts'

/** A usage rule as written. The encryption contract decides whether it is valid. @see CPIX 2.3, ContentKeyUsageRule */
export interface ContentKeyUsageRule {
  readonly element: XmlElement
  /** Undefined if absent or not a UUID. */
  readonly kid: Kid | undefined
  readonly intendedTrackType: string | undefined
  /** The IDs of its key periods; undefined in place of a KeyPeriodFilter without periodId. */
  readonly periodIds: readonly (string | undefined)[]
  readonly videoFilters: readonly XmlElement[]
  readonly audioFilters: readonly XmlElement[]
  readonly bitrateFilters: readonly XmlElement[]
  /** Every other child: LabelFilter, and elements of other editions or vendors. */
  readonly unknown: readonly XmlElement[]
}

/** The typed view of a usage rule. */
export function readContentKeyUsageRule(element: XmlElement): ContentKeyUsageRule {
  const filters = { KeyPeriodFilter: [], VideoFilter: [], AudioFilter: [], BitrateFilter: [] } satisfies Filters
  const unknown: XmlElement[] = []
  for (const child of element.children) {
    const known: Filters = filters
    const list =
      child.namespace === CPIX_NAMESPACE && Object.hasOwn(known, child.local) ? known[child.local] : undefined
    ;(list ?? unknown).push(child)
  }
  return {
    element,
    kid: toKid(attributeOf(element, 'kid') ?? ''),
    intendedTrackType: attributeOf(element, 'intendedTrackType'),
    periodIds: (filters.KeyPeriodFilter as XmlElement[]).map(readPeriodId),
    videoFilters: filters.VideoFilter,
    audioFilters: filters.AudioFilter,
    bitrateFilters: filters.BitrateFilter,
    unknown,
  }
}

function readPeriodId(filter: XmlElement): string | undefined {
  const text = attributeOf(filter, 'periodId')
  return text === undefined ? undefined : collapse(text)
}

type Filters = Record<string, XmlElement[]>
