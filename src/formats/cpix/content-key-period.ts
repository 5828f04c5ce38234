import type { XmlElement } from '../xml/document.ts'
import { attributeOf } from '../xml/reader.ts'
import {
  attribute,
  attributeError,
  COUNT,
  collapse,
  DATE_TIME,
  DURATION_SECONDS,
  elementError,
  type FieldType,
  requiredAttribute,
} from './fields.ts'

/** A key period. Answers repeat its times as they came. @see CPIX 2.4, ContentKeyPeriod */
export interface ContentKeyPeriod {
  /** Undefined for a period that no rule refers to. SPEKE requires it. */
  readonly id: string | undefined
  /** Undefined without an index, and for an index of 2^53 - 1 or more, which a number cannot tell from its neighbours. */
  readonly index: number | undefined
  /** `start` or `startOffset`, `end` or `endOffset`, and `duration`, as sent. A period has `end` or `duration`, not both. */
  readonly start: string | undefined
  readonly end: string | undefined
  readonly duration: string | undefined
}

const MAX_ID = 256
const ID: FieldType<string> = {
  expected: `an id of 1 to ${MAX_ID} characters`,
  read: (text) => {
    const id = collapse(text)
    return id === '' || id.length > MAX_ID ? undefined : id
  },
}

/** The two ways to bound a period, and how each is read. Either has a duration in place of its end. */
const INTERVALS = [
  { from: 'start', to: 'end', type: DATE_TIME },
  { from: 'startOffset', to: 'endOffset', type: DURATION_SECONDS },
] as const

/**
 * The periods of a document, in order. Throws ERR_CPIX_INVALID for an id that occurs twice, an interval that is not complete, and
 * one that does not end after it starts.
 */
export function readContentKeyPeriods(elements: readonly XmlElement[]): readonly ContentKeyPeriod[] {
  const seen = new Set<string>()
  return elements.map((element) => {
    const id = attribute(element, 'id', ID)
    if (id !== undefined && seen.has(id)) throw attributeError(element, 'id', 'another ContentKeyPeriod has this id')
    if (id !== undefined) seen.add(id)
    const interval = readInterval(element)
    const index = attribute(element, 'index', COUNT)
    return {
      id,
      index: index === Number.MAX_SAFE_INTEGER ? undefined : index,
      start: interval && attributeOf(element, interval.from),
      end: interval && attributeOf(element, interval.to),
      duration: attributeOf(element, 'duration'),
    }
  })
}

/** The end of a period in the form of its start: as sent, or computed from its duration; undefined for a period without times. */
export function periodEnd({ start, end, duration }: ContentKeyPeriod): string | undefined {
  const seconds = duration === undefined ? undefined : DURATION_SECONDS.read(duration)
  if (end !== undefined || start === undefined || seconds === undefined) return end
  const from = DATE_TIME.read(start)
  if (from !== undefined) return new Date(from + seconds * 1_000).toISOString()
  const offset = DURATION_SECONDS.read(start)
  return offset === undefined ? undefined : `PT${offset + seconds}S`
}

function readInterval(element: XmlElement): (typeof INTERVALS)[number] | undefined {
  const [interval, other] = INTERVALS.filter(({ from, to }) => has(element, from) || has(element, to))
  if (other !== undefined)
    throw elementError(element, 'start and end cannot be combined with startOffset and endOffset')
  const duration = attribute(element, 'duration', DURATION_SECONDS)
  if (interval === undefined) {
    if (duration !== undefined) throw elementError(element, 'duration requires start or startOffset')
    return undefined
  }
  const { from, to, type } = interval
  const start = requiredAttribute<number>(element, from, type)
  if (duration === undefined) {
    if (start >= requiredAttribute<number>(element, to, type))
      throw elementError(element, `${from} must come before ${to}`)
  } else {
    if (has(element, to)) throw elementError(element, `expected ${to} or duration, not both`)
    if (duration === 0) throw attributeError(element, 'duration', 'expected a duration longer than zero')
  }
  return interval
}

function has(element: XmlElement, name: string): boolean {
  return attributeOf(element, name) !== undefined
}
