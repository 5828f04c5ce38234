import { type Kid, type SystemId, toKid, toSystemId } from '../cenc.ts'
import type { XmlElement } from '../xml/document.ts'
import { attributeOf } from '../xml/reader.ts'
import { attributeError, elementError } from './error.ts'

/** Turns the text of a field into a value, or into undefined when the text does not fit. */
export interface FieldType<T> {
  readonly expected: string
  read(text: string): T | undefined
}

const NIL = '00000000-0000-0000-0000-000000000000'

export const KID: FieldType<Kid> = {
  expected: 'a UUID that is not all zeros',
  read: (text) => (text === NIL ? undefined : toKid(text)),
}
export const SYSTEM_ID: FieldType<SystemId> = { expected: 'a UUID', read: toSystemId }

/** xs:boolean. */
export const BOOLEAN: FieldType<boolean> = {
  expected: 'true, false, 1 or 0',
  read: (text) => ({ true: true, 1: true, false: false, 0: false })[text.trim()],
}

/** A non-negative xs:integer up to 2^53. */
export const UNSIGNED: FieldType<number> = {
  expected: 'a whole number, 0 or more',
  read: (text) => {
    const value = /^\s*\+?\d{1,16}\s*$/.test(text) ? Number(text) : Number.NaN
    return Number.isSafeInteger(value) ? value : undefined
  },
}

/** Exactly 16 bytes of base64, decoded leniently: white space, missing padding and stray low bits are accepted (speke.md 5.3). */
export const SIXTEEN_BYTES: FieldType<Uint8Array> = {
  expected: 'base64 of 16 bytes',
  read: (text) => {
    const compact = /\s/.test(text) ? text.replaceAll(/\s+/g, '') : text
    if (!/^[A-Za-z0-9+/]{22}(==)?$/.test(compact)) return undefined
    return Buffer.from(compact, 'base64')
  },
}

/** xs:dateTime, the offset optional. Its value is milliseconds since 1970, read as UTC without an offset. */
export const DATE_TIME: FieldType<number> = {
  expected: 'a date and time such as 2026-10-01T12:00:00Z',
  read: (text) => {
    const trimmed = text.trim()
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.test(trimmed)) return undefined
    const time = Date.parse(/(Z|[+-]\d\d:\d\d)$/.test(trimmed) ? trimmed : `${trimmed}Z`)
    return Number.isNaN(time) ? undefined : time
  },
}

const DURATION =
  /^(-?)P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?)?$/

/** xs:duration, not negative. Its value is seconds, a month counted as 30 days and a year as 365. */
export const DURATION_SECONDS: FieldType<number> = {
  expected: 'a duration such as PT10M',
  read: (text) => {
    const match = DURATION.exec(text.trim())
    if (match === null || match[1] === '-' || /[PT]$/.test(text.trim())) return undefined
    const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match
      .slice(2)
      .map((part) => Number(part ?? 0))
    return ((years * 365 + months * 30 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
  },
}

/** The value of an attribute, or undefined when it is absent. The text stays out of the message: it may be a key. */
export function attribute<T>(element: XmlElement, name: string, type: FieldType<T>): T | undefined {
  const text = attributeOf(element, name)
  if (text === undefined) return undefined
  const value = type.read(text)
  if (value === undefined) throw attributeError(element, name, `expected ${type.expected}`)
  return value
}

/** The value of an attribute that must be there. */
export function requiredAttribute<T>(element: XmlElement, name: string, type: FieldType<T>): T {
  const value = attribute(element, name, type)
  if (value === undefined) throw elementError(element, `attribute ${name} is missing`)
  return value
}
