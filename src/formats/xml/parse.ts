import { AMP, BANG, GT, isSpace, LT, QUESTION, RIGHT_BRACKET, SLASH, skipSpace } from './characters.ts'
import type { XmlElement, XmlLimits } from './document.ts'
import { malformed, overLimit, shownName, type XmlError } from './error.ts'
import { restore } from './namespaces.ts'
import { badReference, referencedCharacter } from './references.ts'
import { NO_CHILDREN, newParser, type OpenElement, type Parser, readStartTag } from './start-tag.ts'

/**
 * The root element of a document whose characters are all Char, read from `at` to the end in one pass, without recursion.
 * @see XML 1.0 (fifth edition), 2.1; Namespaces in XML 1.0, 7
 */
export function parseRoot(source: string, at: number, limits: XmlLimits): XmlElement {
  const parser = newParser(source, at, limits)
  parser.at = skipMisc(parser)
  if (parser.at === source.length) throw malformed(source, parser.at, 'a root element was expected')
  const root = readStartTag(parser, undefined)
  if (!root.selfClosing) readContent(parser, root)
  parser.at = skipMisc(parser)
  if (parser.at < source.length) throw malformed(source, parser.at, 'only one root element is allowed')
  return root
}

/** Reads from the start tag of `root` past its end tag. */
function readContent(parser: Parser, root: OpenElement): void {
  const { source, scope } = parser
  // The number of bindings before each open element.
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
      if (code === QUESTION) throw instruction(parser)
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

/** The offset of the next `<`, or of the end, once the text before it is checked. @see XML 1.0, 2.4, production 14 */
function readText({ source, limits, at: start }: Parser): number {
  let at = start
  for (; at < source.length; at++) {
    const code = source.charCodeAt(at)
    if (code === LT) break
    if (code === AMP) {
      const semicolon = source.indexOf(';', at)
      if (semicolon === -1 || referencedCharacter(source, at, semicolon) === -1) throw badReference(source, at)
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

/** The offset just past the CDATA section at the place of the parser. @see XML 1.0, 2.7 */
function cdataEnd({ source, limits, at }: Parser): number {
  const contentStart = at + '<![CDATA['.length
  const end = source.indexOf(']]>', contentStart)
  if (end === -1) throw malformed(source, at, 'a CDATA section is not finished')
  if (end - contentStart > limits.textLength)
    throw overLimit(source, at, `a CDATA section is longer than ${limits.textLength} characters`)
  return end + 3
}

/** The offset just past the comment at the place of the parser. @see XML 1.0, 2.5 */
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
    isDeclaration ? 'the XML declaration must be at the very start' : 'a processing instruction is not allowed',
  )
}
