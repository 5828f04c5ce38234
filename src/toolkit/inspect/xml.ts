import {
  CPIX_NAMESPACE,
  PSKC_NAMESPACE,
  SPEKE_NAMESPACE,
  XMLDSIG_NAMESPACE,
  XMLENC_NAMESPACE,
} from '../../formats/cpix/fields.ts'
import { XMLNS_NAMESPACE, type XmlDocument, type XmlElement } from '../../formats/xml/document.ts'
import { positionAt, XmlError } from '../../formats/xml/error.ts'
import { readXml, textOf } from '../../formats/xml/reader.ts'
import { error, type InspectNode, type InspectOptions, type InspectPlace, MAX_BYTES, node } from './node.ts'
import { shownText } from './secrets.ts'

/** A document, or the node that says where it breaks. */
type XmlRead = { readonly document: XmlDocument } | { readonly broken: InspectNode }

/** Reads XML. A manifest may be larger than a request to a key provider. */
export function readXmlText(text: string): XmlRead {
  const limits = LARGE.includes(rootNameOf(text) ?? '') ? LARGE_LIMITS : undefined
  try {
    return { document: readXml(Buffer.from(withoutDeclaration(text)), limits) }
  } catch (problem) {
    if (!(problem instanceof XmlError)) throw problem
    return { broken: brokenXml(problem, 0) }
  }
}

/** A fragment, and the prefixes in it that it does not declare itself. */
type FragmentRead =
  | { readonly document: XmlDocument; readonly undeclared: readonly string[] }
  | { readonly broken: InspectNode }

/**
 * Reads the content of an element: any number of elements. A prefix that the fragment does not declare gets the namespace that
 * manifests and CPIX documents declare for it at their root. Elements without a prefix get `defaultNamespace`.
 */
export function readFragment(text: string, defaultNamespace?: string): FragmentRead {
  const undeclared: string[] = []
  for (;;) {
    const declarations = undeclared.map(
      (prefix) => ` xmlns:${prefix}="${NAMESPACE_OF_PREFIX[prefix] ?? UNKNOWN_NAMESPACE}"`,
    )
    if (defaultNamespace !== undefined) declarations.push(` xmlns="${defaultNamespace}"`)
    const start = `<fragment${declarations.join('')}>`
    try {
      const document = readXml(Buffer.from(`${start}${withoutDeclaration(text)}</fragment>`), LARGE_LIMITS)
      // Columns of the first line count from the text, not from the start tag around it.
      lineStarts.set(document, lineStartsFrom(document, start.length))
      return { document, undeclared }
    } catch (problem) {
      if (!(problem instanceof XmlError)) throw problem
      const prefix = /the prefix "([\w.-]+)" is not declared/.exec(problem.message)?.[1]
      if (prefix === undefined || undeclared.includes(prefix) || undeclared.length === MAX_UNDECLARED)
        return { broken: brokenXml(problem, problem.line === 1 ? start.length : 0) }
      undeclared.push(prefix)
    }
  }
}

const MAX_UNDECLARED = 16
const UNKNOWN_NAMESPACE = 'urn:keyspring:undeclared'

/** The namespaces of the prefixes that documents of this field use. */
const NAMESPACE_OF_PREFIX: Readonly<Record<string, string>> = {
  cenc: 'urn:mpeg:cenc:2013',
  mspr: 'urn:microsoft:playready',
  dashif: 'https://dashif.org/CPS',
  ck: 'http://dashif.org/guidelines/clearKey',
  clearkey: 'http://dashif.org/guidelines/clearKey',
  mas: 'urn:marlin:mas:1-0:services:schemas:mpd',
  cpix: CPIX_NAMESPACE,
  speke: SPEKE_NAMESPACE,
  pskc: PSKC_NAMESPACE,
  ds: XMLDSIG_NAMESPACE,
  enc: XMLENC_NAMESPACE,
  xenc: XMLENC_NAMESPACE,
  xsi: 'http://www.w3.org/2001/XMLSchema-instance',
  xlink: 'http://www.w3.org/1999/xlink',
}

/** The place of an element. */
export function placeOf(document: XmlDocument, { start }: XmlElement): InspectPlace {
  const starts = lineStartsOf(document)
  let [low, high] = [0, starts.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((starts[middle] ?? 0) <= start) low = middle
    else high = middle - 1
  }
  const from = starts[low] ?? 0
  // Counting characters of a line that is a whole document would take as long as the document, for each element again.
  const { column } =
    start - from > MAX_COUNTED ? { column: start - from + 1 } : positionAt(document.source.slice(from), start - from)
  return { line: low + 1, column }
}

/** An element without more knowledge of it: its attributes, its text, its children. Possible keys are hidden. */
export function plainElement(document: XmlDocument, element: XmlElement, options: InspectOptions): InspectNode {
  const written = textOf(document, element).trim()
  const { text, findings } = shownText(written, options)
  return node(element.name, written === '' ? undefined : text, {
    place: placeOf(document, element),
    findings,
    children: [
      ...plainAttributes(element, options),
      ...element.children.map((child) => plainElement(document, child, options)),
    ],
  })
}

/** The attributes of such an element. */
export function plainAttributes({ attributes }: XmlElement, options: InspectOptions): readonly InspectNode[] {
  return attributes.flatMap(({ name, value, namespace }) => {
    if (namespace === XMLNS_NAMESPACE) return []
    const { text, findings } = shownText(value, options)
    return [node(`@${name}`, text, { findings })]
  })
}

const lineStarts = new WeakMap<XmlDocument, readonly number[]>()
const MAX_COUNTED = 10_000

function lineStartsOf(document: XmlDocument): readonly number[] {
  const known = lineStarts.get(document)
  if (known !== undefined) return known
  const starts = lineStartsFrom(document, 0)
  lineStarts.set(document, starts)
  return starts
}

function lineStartsFrom(document: XmlDocument, first: number): readonly number[] {
  return [first, ...[...document.source.matchAll(/\r\n|\n|\r/g)].map((end) => end.index + end[0].length)]
}

/** The documents that may be larger than a request to a key provider. */
const LARGE: readonly string[] = ['MPD', 'SmoothStreamingMedia', 'CPIX']
const LARGE_LIMITS = { bytes: MAX_BYTES, elements: 200_000, allAttributes: 1_000_000, textLength: 4 * 1024 * 1024 }

/** The local name of the first element of text, whether the rest is well-formed or not. */
export function rootNameOf(text: string): string | undefined {
  let at = 0
  for (;;) {
    const markup = text.indexOf('<', at)
    const closing = SKIPPED.find(({ opening }) => text.startsWith(opening, markup))?.closing
    if (markup === -1 || closing === undefined) break
    at = text.indexOf(closing, markup + 2)
    if (at === -1) return undefined
  }
  ROOT_NAME.lastIndex = text.indexOf('<', at)
  return ROOT_NAME.exec(text)?.[1]
}

const ROOT_NAME = /<(?:[\w.-]+:)?([\w.-]+)/y
/** What a document may have before its first element. */
const SKIPPED = [
  { opening: '<!--', closing: '-->' },
  { opening: '<?', closing: '?>' },
] as const

/** Text is text: the encoding that it was in before does not matter any more. Offsets stay. */
function withoutDeclaration(text: string): string {
  const declaration = /^<\?xml\s[^>]*encoding\s*=\s*["']utf-16[^>]*\?>/i.exec(text)?.[0]
  return declaration === undefined ? text : ' '.repeat(declaration.length) + text.slice(declaration.length)
}

function brokenXml({ line, column, message }: XmlError, shift: number): InspectNode {
  return node('damaged', undefined, {
    place: { line, column: column - shift },
    findings: [error(messageAt(message, line, column - shift))],
  })
}

function messageAt(message: string, line: number, column: number): string {
  return message.replace(/^line \d+, column \d+:/, `breaks at line ${line}, column ${column}:`)
}
