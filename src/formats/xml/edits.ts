import { concat, type Filling, type Hole, type Part, type Template } from '../../core/template.ts'
import { CR, isQName, isSpace, LF, SPACE, TAB } from './characters.ts'
import type { XmlAttribute, XmlDocument, XmlElement } from './document.ts'
import { escapeAttribute } from './markup.ts'

/** Puts `replacement` in place of the source from `start` to `end`; inserts it where the two are equal. */
export interface Edit<F extends Filling> {
  readonly start: number
  readonly end: number
  readonly replacement: Part<F>
  /** The end tag of a self-closing element this edit opens. Several such edits of one element share it. */
  readonly endTag?: string
}

/**
 * The source with all edits made, in one pass. Insertions at one place keep their order and come before the text that replaces
 * the text behind it. Throws RangeError for edits that overlap.
 */
export function applyEdits<F extends Filling>(source: string, edits: readonly Edit<F>[]): Template<F> {
  const ordered = inOrder(edits)
  const holes: { at: number; hole: Hole<F> }[] = []
  let text = ''
  let from = 0
  let opened: Edit<F> | undefined
  for (const edit of ordered) {
    if (opened !== undefined && isSameOpening(opened, edit)) {
      text = append(text, edit.replacement, holes)
      continue
    }
    if (opened !== undefined) text += opened.endTag
    if (edit.start < from || edit.end < edit.start || edit.end > source.length) {
      throw new RangeError(`the edit at ${edit.start} overlaps another or leaves the source`)
    }
    text += source.slice(from, edit.start)
    opened = edit.endTag === undefined ? undefined : edit
    if (opened !== undefined) text += '>'
    text = append(text, edit.replacement, holes)
    from = edit.end
  }
  if (opened !== undefined) text += opened.endTag
  return { text: text + source.slice(from), holes }
}

/** Makes `part`, which is markup, the content of an element. Comments that stood directly in it stay, behind `part`. */
export function setContent<F extends Filling>(document: XmlDocument, element: XmlElement, part: Part<F>): Edit<F> {
  if (element.selfClosing) return opening(element, part)
  const comments = commentsOf(document.source, element)
  const replacement = comments === '' ? part : concat(part, comments)
  return { start: element.contentStart, end: element.contentEnd, replacement }
}

/** Adds `part`, which is markup, at the end of an element's content. */
export function appendContent<F extends Filling>(_document: XmlDocument, element: XmlElement, part: Part<F>): Edit<F> {
  return element.selfClosing ? opening(element, part) : insertion(element.contentEnd, part)
}

/** Adds `part`, which is markup, directly behind an element. */
export function insertAfter<F extends Filling>(element: XmlElement, part: Part<F>): Edit<F> {
  return insertion(element.end, part)
}

/** Removes an element; where it has its lines to itself, with the line break and the white space before it. */
export function removeElement<F extends Filling>({ source }: XmlDocument, element: XmlElement): Edit<F> {
  const { start, end } = element
  let before = start
  while (before > 0 && isBlank(source.charCodeAt(before - 1))) before--
  let after = end
  while (after < source.length && isBlank(source.charCodeAt(after))) after++
  const isAlone = isLineBreak(source.charCodeAt(before - 1)) && isLineBreak(source.charCodeAt(after))
  if (!isAlone) return { start, end, replacement: '' }
  const isPair = source.charCodeAt(before - 1) === LF && source.charCodeAt(before - 2) === CR
  return { start: before - (isPair ? 2 : 1), end, replacement: '' }
}

/**
 * Gives an attribute, named as written, this value. A string is escaped, a template is taken as it is. Throws RangeError
 * for what cannot be a name or a value.
 */
export function setAttribute<F extends Filling>(element: XmlElement, name: string, value: Part<F>): Edit<F> {
  const part = typeof value === 'string' ? escapeAttribute(value) : value
  const attribute = element.attributes.find((candidate) => candidate.name === name)
  if (attribute !== undefined) return { start: attribute.valueStart, end: attribute.valueEnd, replacement: part }
  if (!isQName(name)) throw new RangeError('an attribute cannot have this name')
  return insertion(element.attributesEnd, concat(` ${name}="`, part, '"'))
}

/** Removes an attribute with the white space before it. */
export function removeAttribute<F extends Filling>({ source }: XmlDocument, attribute: XmlAttribute): Edit<F> {
  let start = attribute.start
  while (isSpace(source.charCodeAt(start - 1))) start--
  return { start, end: attribute.end, replacement: '' }
}

function insertion<F extends Filling>(at: number, replacement: Part<F>): Edit<F> {
  return { start: at, end: at, replacement }
}

/** Turns `<x/>` into `<x>…</x>`. */
function opening<F extends Filling>({ name, end }: XmlElement, replacement: Part<F>): Edit<F> {
  return { start: end - '/>'.length, end, replacement, endTag: `</${name}>` }
}

function isSameOpening<F extends Filling>(opened: Edit<F>, edit: Edit<F>): boolean {
  return edit.endTag !== undefined && edit.start === opened.start && edit.end === opened.end
}

function append<F extends Filling>(text: string, part: Part<F>, holes: { at: number; hole: Hole<F> }[]): string {
  if (typeof part === 'string') return text + part
  for (const { at, hole } of part.holes) holes.push({ at: at + text.length, hole })
  return text + part.text
}

function inOrder<F extends Filling>(edits: readonly Edit<F>[]): readonly Edit<F>[] {
  let last: Edit<F> | undefined
  for (const edit of edits) {
    if (last !== undefined && compare(last, edit) > 0) return edits.toSorted(compare)
    last = edit
  }
  return edits
}

/** By place; at one place insertions first. The sort is stable, so equals keep their order. */
function compare<F extends Filling>(left: Edit<F>, right: Edit<F>): number {
  return left.start - right.start || Number(left.end > left.start) - Number(right.end > right.start)
}

/** The comments directly in the element. */
function commentsOf(source: string, element: XmlElement): string {
  if (!element.hasText) return ''
  let comments = ''
  let child = 0
  let at = source.indexOf('<', element.contentStart)
  while (at < element.contentEnd) {
    const next = element.children[child]
    let end: number
    if (at === next?.start) {
      end = next.end
      child++
    } else if (source.startsWith('<!--', at)) {
      end = source.indexOf('-->', at + '<!--'.length) + '-->'.length
      comments += source.slice(at, end)
    } else {
      end = source.indexOf(']]>', at) + ']]>'.length
    }
    at = source.indexOf('<', end)
  }
  return comments
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB
}

function isLineBreak(code: number): boolean {
  return code === LF || code === CR
}
