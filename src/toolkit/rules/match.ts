import { XMLNS_NAMESPACE, type XmlElement } from '../../formats/xml/document.ts'
import { attributeOf } from '../../formats/xml/reader.ts'

/** An element of the request and what became of it. */
export interface Matched {
  readonly request: XmlElement
  /** Undefined: it is gone. */
  readonly answer: XmlElement | undefined
}

/** The children of an element of the request, each with its counterpart in the answer, and what the answer has beyond them. */
export interface MatchedChildren {
  readonly matched: readonly Matched[]
  readonly added: readonly XmlElement[]
}

/**
 * Finds counterparts: by what tells elements of a name apart (kid, systemId, id, playlist), and what is left by its place
 * among those of its name, since a key provider may answer with other kids.
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

/** The attributes that tell entries of a list apart. */
const IDENTITY: Readonly<Record<string, readonly string[]>> = {
  ContentKey: ['kid'],
  DRMSystem: ['kid', 'systemId'],
  HLSSignalingData: ['playlist'],
  ContentKeyUsageRule: ['kid', 'intendedTrackType'],
  ContentKeyPeriod: ['id'],
  KeyPeriodFilter: ['periodId'],
  DeliveryData: ['id'],
}

/** Whether the place of an element among its like means something. */
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

/** The attributes of an element without namespace declarations. */
export function ownAttributes(
  element: XmlElement,
): readonly { readonly name: string; readonly local: string; readonly value: string }[] {
  return element.attributes.filter(({ namespace }) => namespace !== XMLNS_NAMESPACE)
}
