import type { Filling } from '../../core/template.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import {
  appendContent,
  applyEdits,
  type Edit,
  removeAttribute,
  removeElement,
  setAttribute,
  setContent,
} from '../../formats/xml/edits.ts'
import { readXml } from '../../formats/xml/reader.ts'

/** A change of a request, as edits of its document. */
export type Change = (document: XmlDocument) => readonly Edit<Filling>[]

/** Returns the request after all changes. */
export function changed(xml: string, ...changes: readonly Change[]): string {
  return changes.reduce((text, change) => {
    const document = readXml(Buffer.from(text))
    return applyEdits(document.source, change(document)).text
  }, xml)
}

/** The elements that a change applies to: all with the name, or the one at an index (negative from the end). */
type Which = 'all' | number

/** Sets an attribute of elements, or removes it if `value` is undefined. */
export function attributes(
  local: string,
  name: string,
  value: string | undefined | ((old: string) => string),
  which: Which = 'all',
): Change {
  return (document) =>
    picked(document, local, which).flatMap((element) => {
      const old = element.attributes.find((one) => one.name === name)
      if (value === undefined) return old === undefined ? [] : [removeAttribute(document, old)]
      return [setAttribute(element, name, typeof value === 'string' ? value : value(old?.value ?? ''))]
    })
}

/** Removes elements. */
export function without(local: string, which: Which = 'all'): Change {
  return (document) => picked(document, local, which).map((element) => removeElement(document, element))
}

/** Replaces the content of elements. */
export function content(local: string, markup: string, which: Which = 'all'): Change {
  return (document) => picked(document, local, which).map((element) => setContent(document, element, markup))
}

/** Adds markup at the end of elements. */
export function appended(local: string, markup: string, which: Which = 'all'): Change {
  return (document) => picked(document, local, which).map((element) => appendContent(document, element, markup))
}

/** Duplicates an element. */
export function twice(local: string, which: Which = 0): Change {
  return (document) =>
    picked(document, local, which).map((element) => ({
      start: element.end,
      end: element.end,
      replacement: document.source.slice(element.start, element.end),
    }))
}

/** Inserts markup before the children of the root. */
export function beforeLists(markup: string): Change {
  return ({ root }) => [{ start: root.contentStart, end: root.contentStart, replacement: markup }]
}

function picked({ root }: XmlDocument, local: string, which: Which): readonly XmlElement[] {
  const found: XmlElement[] = []
  const visit = (element: XmlElement): void => {
    if (element.local === local) found.push(element)
    for (const child of element.children) visit(child)
  }
  visit(root)
  if (which === 'all') return found
  const one = found.at(which)
  return one === undefined ? [] : [one]
}
