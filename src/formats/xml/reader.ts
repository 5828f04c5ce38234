import { declarationEnd, decodeXml } from './decode.ts'
import {
  XML_LIMITS,
  XML_NAMESPACE,
  XMLNS_NAMESPACE,
  type XmlDocument,
  type XmlElement,
  type XmlLimits,
} from './document.ts'
import { positionAt, type XmlPosition } from './error.ts'
import { parseRoot } from './parse.ts'
import { normalizeLines, resolveText } from './references.ts'

/**
 * The document in `bytes`: well-formed, namespace-well-formed XML 1.0 in UTF-8, without DOCTYPE and processing
 * instructions, within the limits. Throws XmlError for anything else.
 * @see XML 1.0 (fifth edition); Namespaces in XML 1.0 (third edition)
 */
export function readXml(bytes: Uint8Array, limits: Partial<XmlLimits> = {}): XmlDocument {
  const allLimits = { ...XML_LIMITS, ...limits }
  const source = decodeXml(bytes, allLimits.bytes)
  return { source, root: parseRoot(source, declarationEnd(source), allLimits) }
}

/** The character data of the element itself, CDATA included: references resolved, comments and child elements left out. */
export function textOf({ source }: XmlDocument, element: XmlElement): string {
  if (!element.hasText) return ''
  let text = ''
  let from = element.contentStart
  for (const child of element.children) {
    text += characterData(source, from, child.start)
    from = child.end
  }
  return text + characterData(source, from, element.contentEnd)
}

/**
 * Where the element is, as `CPIX/ContentKeyList/ContentKey[2]`: local names, with a number counted from 1 where its
 * parent has several children of that name.
 */
export function pathOf(element: XmlElement): string {
  const steps: string[] = []
  for (let at: XmlElement | undefined = element; at !== undefined; at = at.parent) {
    const { local } = at
    const same = at.parent?.children.filter((child) => child.local === local) ?? []
    steps.push(same.length > 1 ? `${local}[${same.indexOf(at) + 1}]` : local)
  }
  return steps.reverse().join('/')
}

/** The line and column of an offset in the source. */
export function positionOf({ source }: XmlDocument, offset: number): XmlPosition {
  return positionAt(source, offset)
}

export function childrenOf(element: XmlElement, namespace: string, local: string): XmlElement[] {
  return element.children.filter((child) => child.local === local && child.namespace === namespace)
}

/** The first child of that name. */
export function childOf(element: XmlElement, namespace: string, local: string): XmlElement | undefined {
  return element.children.find((child) => child.local === local && child.namespace === namespace)
}

/** The value of the unprefixed attribute of that name. */
export function attributeOf(element: XmlElement, local: string): string | undefined {
  for (const { name, value } of element.attributes) if (name === local) return value
  return undefined
}

/**
 * A prefix that puts an element inside `element` into `namespace`: the nearest one declared that nothing shadows, '' for
 * the default namespace. Undefined without one.
 */
export function prefixInScope(element: XmlElement, namespace: string): string | undefined {
  if (namespace === XML_NAMESPACE) return 'xml'
  const shadowed = new Set<string>()
  for (let at: XmlElement | undefined = element; at !== undefined; at = at.parent) {
    for (const attribute of at.attributes) {
      if (attribute.namespace !== XMLNS_NAMESPACE) continue
      const prefix = attribute.prefix === '' ? '' : attribute.local
      if (shadowed.has(prefix)) continue
      if (attribute.value === namespace) return prefix
      shadowed.add(prefix)
    }
  }
  return namespace === '' && !shadowed.has('') ? '' : undefined
}

/** The text between two tags, where the reader has let through only text, CDATA sections and comments. */
function characterData(source: string, from: number, to: number): string {
  let text = ''
  for (;;) {
    const markup = source.indexOf('<', from)
    if (markup === -1 || markup >= to) return text + resolveText(source, from, to)
    text += resolveText(source, from, markup)
    const isComment = source.startsWith('<!--', markup)
    const end = isComment ? source.indexOf('-->', markup + '<!--'.length) : source.indexOf(']]>', markup)
    if (!isComment) text += normalizeLines(source.slice(markup + '<![CDATA['.length, end))
    from = end + 3
  }
}

/** The first element with a name at any depth inside `element`, in document order. */
export function descendantOf(element: XmlElement, namespace: string, local: string): XmlElement | undefined {
  for (const child of element.children) {
    if (child.local === local && child.namespace === namespace) return child
    const found = descendantOf(child, namespace, local)
    if (found !== undefined) return found
  }
  return undefined
}
