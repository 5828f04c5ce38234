import { XMLNS_NAMESPACE, type XmlElement } from '../../formats/xml/document.ts'
import { attributeOf } from '../../formats/xml/reader.ts'

/** An element of the request and its counterpart in the answer. */
interface Matched {
  readonly request: XmlElement
  /** Undefined if the answer does not have it. */
  readonly answer: XmlElement | undefined
}

/** The children of a request element with their counterparts, and the additional children in the answer. */
interface MatchedChildren {
  readonly matched: readonly Matched[]
  readonly added: readonly XmlElement[]
}

/**
 * Finds counterparts by the identifying attributes of an element (kid, systemId, id, playlist). The remaining elements are
 * matched by name and position, because a key provider may answer with other kids.
 */
export function matchChildren(request: XmlElement, answer: XmlElement): MatchedChildren {
  const free = new Set(answer.children)
  const found = new Map<XmlElement, XmlElement>()
  for (const name of [identityOf, nameOf]) {
    const byName = Map.groupBy(free, name)
    for (const child of request.children) {
      if (found.has(child)) continue
      const counterpart = byName.get(name(child))?.shift()
      if (counterpart === undefined) continue
      found.set(child, counterpart)
      free.delete(counterpart)
    }
  }
  return {
    matched: request.children.map((child) => ({ request: child, answer: found.get(child) })),
    added: [...free],
  }
}

/** The attributes that identify an entry of a list. */
const IDENTITY: Readonly<Record<string, readonly string[]>> = {
  ContentKey: ['kid'],
  DRMSystem: ['kid', 'systemId'],
  HLSSignalingData: ['playlist'],
  ContentKeyUsageRule: ['kid', 'intendedTrackType'],
  ContentKeyPeriod: ['id'],
  KeyPeriodFilter: ['periodId'],
  DeliveryData: ['id'],
}

/** Whether an element has identifying attributes, so that its position is significant. */
export function hasIdentity({ local }: XmlElement): boolean {
  return Object.hasOwn(IDENTITY, local)
}

function identityOf(element: XmlElement): string {
  const names = IDENTITY[element.local] ?? []
  return JSON.stringify([nameOf(element), ...names.map((name) => attributeOf(element, name)?.toLowerCase())])
}

function nameOf({ namespace, local }: XmlElement): string {
  return `{${namespace}}${local}`
}

/** The attributes of an element, except namespace declarations. */
export function ownAttributes(
  element: XmlElement,
): readonly { readonly name: string; readonly local: string; readonly value: string }[] {
  return element.attributes.filter(({ namespace }) => namespace !== XMLNS_NAMESPACE)
}
