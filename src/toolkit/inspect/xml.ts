import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { XMLNS_NAMESPACE } from '../../formats/xml/document.ts'
import { positionAt, XmlError } from '../../formats/xml/error.ts'
import { readXml, textOf } from '../../formats/xml/reader.ts'
import { error, type InspectNode, type InspectPlace, node } from './node.ts'
import { type InspectOptions, MAX_BYTES } from './options.ts'

/** A document, or the node that says where it breaks. */
export type XmlRead = { readonly document: XmlDocument } | { readonly broken: InspectNode }

/** Reads XML. An MPD may be larger than what a key provider takes, but not without bounds. */
export function readXmlText(text: string): XmlRead {
  const limits = LARGE.includes(rootNameOf(text) ?? '') ? LARGE_LIMITS : undefined
  try {
    return { document: readXml(Buffer.from(withoutDeclaration(text)), limits) }
  } catch (problem) {
    if (!(problem instanceof XmlError)) throw problem
    return { broken: brokenXml(problem, 0) }
  }
}

/** Reads what stands inside an element: any number of elements, every prefix declared by themselves. */
export function readFragment(text: string): XmlRead {
  try {
    return { document: readXml(Buffer.from(`${WRAPPER}${text}</fragment>`)) }
  } catch (problem) {
    if (!(problem instanceof XmlError)) throw problem
    return { broken: brokenXml(problem, problem.line === 1 ? WRAPPER.length : 0) }
  }
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

/** An element that nothing more is known of: its attributes, its text, its children. What could be a key is not shown. */
export function plainElement(document: XmlDocument, element: XmlElement, options: InspectOptions): InspectNode {
  const text = textOf(document, element).trim()
  return node(element.name, text === '' ? undefined : shownText(text, options), {
    place: placeOf(document, element),
    children: [
      ...plainAttributes(element, options),
      ...element.children.map((child) => plainElement(document, child, options)),
    ],
  })
}

/** The attributes of such an element. */
export function plainAttributes({ attributes }: XmlElement, options: InspectOptions): readonly InspectNode[] {
  return attributes.flatMap(({ name, value, namespace }) =>
    namespace === XMLNS_NAMESPACE ? [] : [node(`@${name}`, shownText(value, options))],
  )
}

/** 16 or 32 bytes in hex or base64 may be a key, wherever they stand. */
const COULD_BE_KEY = /^(?:(?:0x)?(?:[\da-f]{32}|[\da-f]{64})|[\w+/-]{22}(?:==)?|[\w+/-]{43}=?)$/i

function shownText(text: string, { showKeys }: InspectOptions): string {
  return showKeys !== true && COULD_BE_KEY.test(text.replaceAll(/\s/g, '')) ? 'hidden, it could be a key' : text
}

const lineStarts = new WeakMap<XmlDocument, readonly number[]>()
const MAX_COUNTED = 10_000

function lineStartsOf(document: XmlDocument): readonly number[] {
  const known = lineStarts.get(document)
  if (known !== undefined) return known
  const starts = [0, ...[...document.source.matchAll(/\r\n|\n|\r/g)].map((end) => end.index + end[0].length)]
  lineStarts.set(document, starts)
  return starts
}

const WRAPPER = '<fragment>'
/** What may be larger than a request to a key provider. */
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
/** What may stand before the first element. */
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
