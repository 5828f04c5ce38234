import {
  AMP,
  APOS,
  BANG,
  CR,
  EQUALS,
  GT,
  isSpace,
  LF,
  LT,
  QUESTION,
  QUOTE,
  RIGHT_BRACKET,
  SLASH,
  skipSpace,
  TAB,
} from './characters.ts'
import { XMLNS_NAMESPACE, type XmlAttribute, type XmlElement } from './document.ts'
import { malformed, overLimit, shownName, type XmlError } from './error.ts'
import type { XmlLimits } from './limits.ts'
import { type NameTable, type QName, readName, resolve } from './names.ts'
import { bind, bindingProblem, type Namespace, newScope, restore, type Scope } from './namespaces.ts'
import { normalizeValue, referencedText } from './references.ts'

/**
 * The root element of a document whose characters are all Char, read from `at` to the end in one pass, without recursion.
 * @see XML 1.0 (fifth edition), 2.1; Namespaces in XML 1.0, 7
 */
export function parseRoot(source: string, at: number, limits: XmlLimits): XmlElement {
  const parser: Parser = { source, limits, at, elements: 0, depth: 0, names: [], scope: newScope(), owners: [] }
  parser.at = skipMisc(parser)
  if (parser.at === source.length) throw malformed(source, parser.at, 'a root element was expected')
  const root = readStartTag(parser, undefined)
  if (!root.selfClosing) readContent(parser, root)
  parser.at = skipMisc(parser)
  if (parser.at < source.length) throw malformed(source, parser.at, 'only one root element is allowed')
  return root
}

interface Parser {
  readonly source: string
  readonly limits: XmlLimits
  readonly names: NameTable
  readonly scope: Scope
  /** The namespaces of the prefixed attributes of the start tag being read, by their place in it. */
  readonly owners: (Namespace | undefined)[]
  at: number
  depth: number
  elements: number
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

interface OpenElement extends Mutable<Omit<XmlElement, 'attributes' | 'children' | 'parent'>> {
  attributes: Mutable<XmlAttribute>[]
  children: XmlElement[]
  parent: OpenElement | undefined
}

// Shared by all elements that have none: most are leaves.
const NO_ATTRIBUTES: Mutable<XmlAttribute>[] = []
const NO_CHILDREN: XmlElement[] = []
Object.freeze(NO_ATTRIBUTES)
Object.freeze(NO_CHILDREN)

/** Reads from the start tag of `root` past its end tag. */
function readContent(parser: Parser, root: OpenElement): void {
  const { source, scope } = parser
  // How many bindings stood before each open element.
  const marks = [0]
  let open = root
  for (;;) {
    const textEnd = readText(parser)
    if (textEnd > parser.at) open.hasText = true
    parser.at = textEnd
    if (textEnd === source.length) throw malformed(source, textEnd, `the end tag of ${shownName(open.name)} is missing`)
    const code = source.charCodeAt(textEnd + 1)
    if (code === SLASH) {
      readEndTag(parser, open)
      restore(scope, marks.pop() ?? 0)
      if (open.parent === undefined) return
      open = open.parent
    } else if (code === BANG) {
      parser.at = source.startsWith('<![CDATA[', textEnd) ? cdataEnd(parser) : commentEnd(parser)
      open.hasText = true
    } else {
      const mark = scope.undo.length
      const child = readStartTag(parser, open)
      if (open.children === NO_CHILDREN) open.children = [child]
      else open.children.push(child)
      if (child.selfClosing) {
        restore(scope, mark)
      } else {
        marks.push(mark)
        open = child
      }
    }
  }
}

/** Reads the start tag at the `<` where the parser stands. @see XML 1.0, 3.1, productions 40 and 44 */
function readStartTag(parser: Parser, parent: OpenElement | undefined): OpenElement {
  const { source, limits, scope } = parser
  const start = parser.at
  if (source.charCodeAt(start + 1) === QUESTION) throw instruction(parser)
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
  const namespace = qname.prefix === 'xmlns' ? undefined : resolve(qname, scope)
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
  if (attributes.length > 1) refuseDuplicates(parser, attributes)
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
  const value = isPlain
    ? source.slice(valueStart, at)
    : normalizeValue(source, valueStart, at, (bad) => badReference(source, bad))
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
function refuseDuplicates({ source, owners }: Parser, attributes: readonly XmlAttribute[]): void {
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
    if (isDuplicate) throw malformed(source, start, `the attribute ${shownName(name)} stands twice`)
  }
}

/** The offset of the next `<`, or of the end, once the text before it is checked. @see XML 1.0, 2.4, production 14 */
function readText({ source, limits, at: start }: Parser): number {
  let at = start
  for (; at < source.length; at++) {
    const code = source.charCodeAt(at)
    if (code === LT) break
    if (code === AMP) {
      const semicolon = source.indexOf(';', at)
      if (semicolon === -1 || referencedText(source, at, semicolon) === undefined) throw badReference(source, at)
      at = semicolon
    } else if (code === RIGHT_BRACKET && source.startsWith(']]>', at)) {
      throw malformed(source, at, '"]]>" is not allowed in text')
    }
  }
  if (at - start > limits.textLength)
    throw overLimit(source, start, `text is longer than ${limits.textLength} characters`)
  return at
}

/** Reads the end tag of `open`. @see XML 1.0, 3.1, production 42 */
function readEndTag(parser: Parser, open: OpenElement): void {
  const { source } = parser
  const nameStart = parser.at + 2
  if (!source.startsWith(open.name, nameStart))
    throw malformed(source, parser.at, `the end tag of ${shownName(open.name)} was expected`)
  const at = skipSpace(source, nameStart + open.name.length)
  if (at === source.length || source.charCodeAt(at) !== GT)
    throw malformed(source, parser.at, `the end tag of ${shownName(open.name)} was expected`)
  open.contentEnd = parser.at
  open.end = at + 1
  parser.at = at + 1
  parser.depth--
}

/** The offset just past the CDATA section where the parser stands. @see XML 1.0, 2.7 */
function cdataEnd({ source, limits, at }: Parser): number {
  const contentStart = at + '<![CDATA['.length
  const end = source.indexOf(']]>', contentStart)
  if (end === -1) throw malformed(source, at, 'a CDATA section is not finished')
  if (end - contentStart > limits.textLength)
    throw overLimit(source, at, `a CDATA section is longer than ${limits.textLength} characters`)
  return end + 3
}

/** The offset just past the comment where the parser stands. @see XML 1.0, 2.5 */
function commentEnd({ source, at }: Parser): number {
  if (!source.startsWith('<!--', at)) {
    const isDoctype = source.startsWith('<!DOCTYPE', at)
    throw malformed(
      source,
      at,
      isDoctype ? 'a DOCTYPE is not allowed' : 'a comment or a CDATA section was expected after "<!"',
    )
  }
  const end = source.indexOf('--', at + 4)
  if (end === -1) throw malformed(source, at, 'a comment is not finished')
  if (source.charCodeAt(end + 2) !== GT) throw malformed(source, end, '"--" is not allowed in a comment')
  return end + 3
}

/** The offset of the first thing outside the root that is neither white space nor a comment. @see XML 1.0, 2.8, production 27 */
function skipMisc(parser: Parser): number {
  const { source } = parser
  for (;;) {
    parser.at = skipSpace(source, parser.at)
    if (parser.at === source.length) return parser.at
    if (source.charCodeAt(parser.at) !== LT)
      throw malformed(source, parser.at, 'text is not allowed outside the root element')
    const code = source.charCodeAt(parser.at + 1)
    if (code === QUESTION) throw instruction(parser)
    if (code !== BANG) return parser.at
    parser.at = commentEnd(parser)
  }
}

function instruction({ source, at }: Parser): XmlError {
  const isDeclaration = source.startsWith('<?xml', at) && (isSpace(source.charCodeAt(at + 5)) || source[at + 5] === '?')
  return malformed(
    source,
    at,
    isDeclaration ? 'the XML declaration must stand at the very start' : 'a processing instruction is not allowed',
  )
}

function undeclared({ source }: Parser, { prefix }: QName, at: number): XmlError {
  if (prefix === 'xmlns') return malformed(source, at, 'an element must not have the prefix "xmlns"')
  return malformed(source, at, `the prefix ${shownName(prefix)} is not declared`)
}

function badReference(source: string, at: number): XmlError {
  return malformed(source, at, 'only &amp; &lt; &gt; &quot; &apos; and references to allowed characters may follow "&"')
}
