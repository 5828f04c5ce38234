import type { XmlElement } from '../xml/document.ts'
import { attributeOf } from '../xml/reader.ts'
import { attributeError, elementError } from './error.ts'
import { attribute, DATE_TIME, DURATION_SECONDS, type FieldType, INDEX, requiredAttribute } from './fields.ts'

/** A key period. Its times are echoed, never changed. @see CPIX 2.4, ContentKeyPeriod; speke.md 8 */
export interface ContentKeyPeriod {
  readonly id: string
  readonly index: number | undefined
  /** `start` or `startOffset`, `end` or `endOffset`, as sent. */
  readonly start: string | undefined
  readonly end: string | undefined
}

const MAX_ID = 256
const ID: FieldType<string> = {
  expected: `an id of 1 to ${MAX_ID} characters`,
  read: (text) => (text === '' || text.length > MAX_ID ? undefined : text),
}

/** The two ways to bound a period, and how each is read. */
const INTERVALS = [
  { from: 'start', to: 'end', type: DATE_TIME },
  { from: 'startOffset', to: 'endOffset', type: DURATION_SECONDS },
] as const

/** Reads the periods of a document. Refuses an id that occurs twice, half an interval, and one that ends before it starts. */
export function readContentKeyPeriods(elements: readonly XmlElement[]): readonly ContentKeyPeriod[] {
  const seen = new Set<string>()
  return elements.map((element) => {
    const id = requiredAttribute(element, 'id', ID)
    if (seen.has(id)) throw attributeError(element, 'id', 'another ContentKeyPeriod has this id')
    seen.add(id)
    const intervals = INTERVALS.filter(({ from, to }) => has(element, from) || has(element, to))
    if (intervals.length > 1) throw elementError(element, 'start and end cannot stand beside startOffset and endOffset')
    for (const { from, to, type } of intervals) {
      if (requiredAttribute<number>(element, from, type) >= requiredAttribute<number>(element, to, type)) {
        throw elementError(element, `${from} must come before ${to}`)
      }
    }
    const interval = intervals[0]
    return {
      id,
      index: attribute(element, 'index', INDEX),
      start: interval && attributeOf(element, interval.from),
      end: interval && attributeOf(element, interval.to),
    }
  })
}

function has(element: XmlElement, name: string): boolean {
  return attributeOf(element, name) !== undefined
}
