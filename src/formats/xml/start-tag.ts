import {
  AMP,
  APOS,
  CR,
  EQUALS,
  GT,
  LF,
  LT,
  type NameTable,
  type QName,
  QUOTE,
  readName,
  resolve,
  SLASH,
  skipSpace,
  TAB,
} from './characters.ts'
import { XMLNS_NAMESPACE, type XmlAttribute, type XmlElement, type XmlLimits } from './document.ts'
import { malformed, overLimit, shownName, type XmlError } from './error.ts'
import { bind, bindingProblem, type Namespace, type NamespaceScope, newScope } from './namespaces.ts'
import { normalizeValue } from './references.ts'

/** The place of the reader and its state. */
export interface Parser {
  readonly source: string
  readonly limits: XmlLimits
  readonly names: NameTable
  readonly scope: NamespaceScope
  /** The namespaces of the prefixed attributes of the start tag being read, by their place in it. */
  readonly owners: (Namespace | undefined)[]
  at: number
  depth: number
  elements: number
  attributes: number
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** An element whose end is not read yet. */
export interface OpenElement extends Mutable<Omit<XmlElement, 'attributes' | 'children' | 'parent'>> {
  attributes: Mutable<XmlAttribute>[]
  children: XmlElement[]
  parent: OpenElement | undefined
}

// Shared by all elements that have none: most are leaves.
const NO_ATTRIBUTES: Mutable<XmlAttribute>[] = []
export const NO_CHILDREN: XmlElement[] = []
Object.freeze(NO_ATTRIBUTES)
Object.freeze(NO_CHILDREN)

export function newParser(source: string, at: number, limits: XmlLimits): Parser {
  return { source, limits, at, elements: 0, attributes: 0, depth: 0, names: [], scope: newScope(), owners: [] }
}

/** Reads the start tag at the `<` at the place of the parser. @see XML 1.0, 3.1, productions 40 and 44 */
export function readStartTag(parser: Parser, parent: OpenElement | undefined): OpenElement {
  const { source, limits, scope } = parser
  const start = parser.at
  if (parser.elements === limits.elements) throw overLimit(source, start, `more than ${limits.elements} elements`)
  parser.elements++
  const qname = readName(source, start + 1, parser.names, limits.nameLength)
  parser.at = start + 1 + qname.name.length
  const attributes = readAttributes(parser)
  const attributesEnd = attributes[attributes.length - 1]?.end ?? start + 1 + qname.name.length
  const selfClosing = source.charCodeAt(parser.at) === SLASH
  if (selfClosing && source.charCodeAt(parser.at + 1) !== GT)
    throw malformed(source, parser.at + 1, '">" was expected after "/"')
  parser.at += selfClosing ? 2 : 1
  if (parser.depth === limits.depth)
    throw overLimit(source, start, `elements are nested more than ${limits.depth} deep`)
  if (!selfClosing) parser.depth++
  const namespace = resolve(qname, scope)
  if (namespace === undefined) throw undeclared(parser, qname, start + 1)
  return {
    name: qname.name,
    prefix: qname.prefix,
    local: qname.local,
    namespace: namespace.name,
    attributes,
    children: NO_CHILDREN,
    parent,
    start,
    attributesEnd,
    contentStart: parser.at,
    contentEnd: parser.at,
    end: parser.at,
    selfClosing,
    hasText: false,
  }
}

/** Reads the attributes of a start tag, up to its `>` or `/`. @see XML 1.0, 3.1, production 41 */
function readAttributes(parser: Parser): Mutable<XmlAttribute>[] {
  const { source, limits, scope, owners } = parser
  let attributes = NO_ATTRIBUTES
  let hasPrefixed = false
  for (;;) {
    const at = skipSpace(source, parser.at)
    if (at === source.length) throw malformed(source, at, 'a tag is not finished')
    const code = source.charCodeAt(at)
    if (code === GT || code === SLASH) {
      parser.at = at
      break
    }
    if (at === parser.at) throw malformed(source, at, 'white space, ">" or "/>" was expected')
    if (attributes.length === limits.attributes)
      throw overLimit(source, at, `an element has more than ${limits.attributes} attributes`)
    if (parser.attributes === limits.allAttributes)
      throw overLimit(source, at, `more than ${limits.allAttributes} attributes`)
    parser.attributes++
    const qname = readName(source, at, parser.names, limits.nameLength)
    const attribute = readAttribute(parser, qname, at)
    if (qname.prefix === 'xmlns' || qname.name === 'xmlns') {
      const prefix = qname.prefix === '' ? '' : qname.local
      const problem = bindingProblem(prefix, attribute.value)
      if (problem !== undefined) throw malformed(source, at, problem)
      bind(scope, prefix, attribute.value)
      attribute.namespace = XMLNS_NAMESPACE
    } else if (qname.prefix !== '') {
      hasPrefixed = true
    }
    if (attributes === NO_ATTRIBUTES) attributes = [attribute]
    else attributes.push(attribute)
  }
  owners.length = 0
  if (hasPrefixed) resolvePrefixed(parser, attributes)
  if (attributes.length > 1) rejectDuplicates(parser, attributes)
  return attributes
}

/** Reads `= "value"` behind an attribute's name. @see XML 1.0, 3.1, productions 10 and 25 */
function readAttribute(parser: Parser, qname: QName, start: number): Mutable<XmlAttribute> {
  const { source, limits } = parser
  let at = skipSpace(source, start + qname.name.length)
  if (at === source.length || source.charCodeAt(at) !== EQUALS)
    throw malformed(source, at, `"=" was expected after the attribute ${shownName(qname.name)}`)
  at = skipSpace(source, at + 1)
  const quote = at < source.length ? source.charCodeAt(at) : 0
  if (quote !== QUOTE && quote !== APOS)
    throw malformed(source, at, `the value of the attribute ${shownName(qname.name)} must be in quotes`)
  const valueStart = at + 1
  let isPlain = true
  for (at = valueStart; at < source.length; at++) {
    const code = source.charCodeAt(at)
    if (code === quote) break
    if (code === LT)
      throw malformed(source, at, `"<" is not allowed in the value of the attribute ${shownName(qname.name)}`)
    if (code === AMP || code === TAB || code === LF || code === CR) isPlain = false
  }
  if (at === source.length)
    throw malformed(source, start, `the value of the attribute ${shownName(qname.name)} is not finished`)
  if (at - valueStart > limits.textLength)
    throw overLimit(source, start, `an attribute value is longer than ${limits.textLength} characters`)
  const value = isPlain ? source.slice(valueStart, at) : normalizeValue(source, valueStart, at)
  parser.at = at + 1
  return {
    name: qname.name,
    prefix: qname.prefix,
    local: qname.local,
    namespace: '',
    value,
    start,
    end: at + 1,
    valueStart,
    valueEnd: at,
  }
}

function resolvePrefixed(parser: Parser, attributes: readonly Mutable<XmlAttribute>[]): void {
  const { names, scope, source, owners, limits } = parser
  for (let i = 0; i < attributes.length; i++) {
    const attribute = attributes[i]
    if (attribute === undefined || attribute.prefix === '' || attribute.prefix === 'xmlns') continue
    const qname = readName(source, attribute.start, names, limits.nameLength)
    const namespace = resolve(qname, scope)
    if (namespace === undefined) throw undeclared(parser, qname, attribute.start)
    owners[i] = namespace
    attribute.namespace = namespace.name
  }
}

// Up to here pairs are compared; a hostile element has more, and one set finds its duplicates in linear time.
const FEW = 8

/** @see XML 1.0, 3.1, Unique Att Spec; Namespaces in XML 1.0, 6.3 */
function rejectDuplicates({ source, owners }: Parser, attributes: readonly XmlAttribute[]): void {
  const seen = attributes.length > FEW ? new Set<string>() : undefined
  for (let i = 0; i < attributes.length; i++) {
    const attribute = attributes[i]
    if (attribute === undefined) continue
    const { local, prefix, name, start } = attribute
    const owner = owners[i]
    let isDuplicate = false
    if (seen !== undefined) {
      // No name has a space, so keys of attributes, declarations and namespaces cannot meet.
      const key = owner === undefined ? name : `${owner.id} ${local}`
      isDuplicate = seen.has(key)
      seen.add(key)
    } else {
      for (let j = 0; j < i; j++) {
        const other = attributes[j]
        if (other === undefined || other.local !== local || owners[j] !== owner) continue
        if (owner !== undefined || other.prefix === prefix) isDuplicate = true
      }
    }
    if (isDuplicate) throw malformed(source, start, `the attribute ${shownName(name)} occurs twice`)
  }
}

function undeclared({ source }: Parser, { prefix }: QName, at: number): XmlError {
  if (prefix === 'xmlns') return malformed(source, at, 'an element must not have the prefix "xmlns"')
  return malformed(source, at, `the prefix ${shownName(prefix)} is not declared`)
}
