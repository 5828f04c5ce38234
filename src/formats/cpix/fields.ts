import { KeyProviderError } from '../../core/errors.ts'
import { type Kid, type SystemId, toKid, toSystemId } from '../cenc.ts'
import type { XmlElement } from '../xml/document.ts'
import { attributeOf, pathOf } from '../xml/reader.ts'

/** Reads the text of a field. `read` returns undefined for text that does not fit. */
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

/** xs:boolean. White space around it is ignored, as around every type below. @see XML Schema 1.0, part 2, 4.3.6 */
export const BOOLEAN: FieldType<boolean> = {
  expected: 'true, false, 1 or 0',
  read: (text) => BOOLEANS.get(BOOLEAN_TEXT.exec(text)?.[1] ?? ''),
}

const BOOLEAN_TEXT = /^[ \t\r\n]*(true|false|1|0)[ \t\r\n]*$/
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
])

const UNSIGNED = /^[ \t\r\n]*(?:\+?(\d+)|-0+)[ \t\r\n]*$/

/** A non-negative xs:integer; a value beyond 2^53 − 1 is read as 2^53 − 1. */
export const COUNT: FieldType<number> = {
  expected: 'a whole number, 0 or more',
  read: (text) => {
    const match = UNSIGNED.exec(text)
    return match === null ? undefined : Math.min(Number(match[1] ?? 0), Number.MAX_SAFE_INTEGER)
  },
}

/** The text of an xs:ID or xs:IDREF without the white space that its type ignores. @see XML Schema 1.0, part 2, 4.3.6 */
export function collapse(text: string): string {
  return /[ \t\r\n]/.test(text) ? text.replaceAll(/[ \t\r\n]+/g, ' ').trim() : text
}

/** Exactly 16 bytes of base64, decoded leniently: white space, missing padding and stray low bits are accepted. */
export const SIXTEEN_BYTES: FieldType<Uint8Array> = {
  expected: 'base64 of 16 bytes',
  read: (text) => {
    const compact = /[ \t\r\n]/.test(text) ? text.replaceAll(/[ \t\r\n]+/g, '') : text
    if (!/^[A-Za-z0-9+/]{22}(==)?$/.test(compact)) return undefined
    return Buffer.from(compact, 'base64')
  },
}

const DATE_TIME_TEXT =
  /^[ \t\r\n]*(?<date>(\d{4})-(\d\d)-(\d\d)T\d\d:\d\d:\d\d)(?:\.(?<fraction>\d+))?(?<offset>Z|[+-](?:0\d|1[0-3]):[0-5]\d|[+-]14:00)?[ \t\r\n]*$/

/** xs:dateTime with any number of fraction digits. Its value is milliseconds since 1970, read as UTC without an offset. */
export const DATE_TIME: FieldType<number> = {
  expected: 'a date and time such as 2026-10-01T12:00:00Z',
  read: (text) => {
    const match = DATE_TIME_TEXT.exec(text)
    if (match?.groups === undefined) return undefined
    const [year, month, day] = match.slice(2, 5).map(Number)
    // Date.parse takes 30 February for 2 March.
    if (new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() !== day) return undefined
    const time = Date.parse(`${match.groups.date}${match.groups.offset ?? 'Z'}`)
    return Number.isNaN(time) ? undefined : time + 1_000 * Number(`0.${match.groups.fraction ?? 0}`)
  },
}

const DURATION =
  /^[ \t\r\n]*P(?:(\d{1,9})Y)?(?:(\d{1,9})M)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d+)?)S)?)?(?<![PT])[ \t\r\n]*$/

/** xs:duration, not negative. Its value is seconds, a month counted as 30 days and a year as 365. */
export const DURATION_SECONDS: FieldType<number> = {
  expected: 'a duration such as PT10M',
  read: (text) => {
    const match = DURATION.exec(text)
    if (match === null) return undefined
    const [years = 0, months = 0, days = 0, hours = 0, minutes = 0, seconds = 0] = match
      .slice(1)
      .map((part) => Number(part ?? 0))
    return ((years * 365 + months * 30 + days) * 24 + hours) * 3600 + minutes * 60 + seconds
  },
}

/** The value of an attribute, or undefined when it is absent. The message does not quote the text: it may be a key. */
export function attribute<T>(element: XmlElement, name: string, type: FieldType<T>): T | undefined {
  const text = attributeOf(element, name)
  if (text === undefined) return undefined
  const value = type.read(text)
  if (value === undefined) throw attributeError(element, name, `expected ${type.expected}`)
  return value
}

/** The value of a required attribute. */
export function requiredAttribute<T>(element: XmlElement, name: string, type: FieldType<T>): T {
  const value = attribute(element, name, type)
  if (value === undefined) throw elementError(element, `attribute ${name} is missing`)
  return value
}

/** The document is not valid CPIX. `path` names the element or attribute. */
export class CpixError extends KeyProviderError {
  override readonly name = 'CpixError'
  readonly path: string

  /** `problem` never quotes a value: it could be a key. */
  constructor(path: string, problem: string) {
    super('ERR_CPIX_INVALID', `Malformed CPIX document: ${path}: ${problem}`)
    this.path = path
  }
}

/** The error for an element. */
export function elementError(element: XmlElement, problem: string): CpixError {
  return new CpixError(pathOf(element), problem)
}

/** The error for an attribute of an element. */
export function attributeError(element: XmlElement, name: string, problem: string): CpixError {
  return new CpixError(`${pathOf(element)}/@${name}`, problem)
}

/** Namespaces of a CPIX document. There is one for every CPIX version. @see CPIX 2.3, Namespaces */
export const CPIX_NAMESPACE = 'urn:dashif:org:cpix'
export const PSKC_NAMESPACE = 'urn:ietf:params:xml:ns:keyprov:pskc'
export const XMLENC_NAMESPACE = 'http://www.w3.org/2001/04/xmlenc#'
export const XMLDSIG_NAMESPACE = 'http://www.w3.org/2000/09/xmldsig#'
/** The extension elements of SPEKE 1.0. */
export const SPEKE_NAMESPACE = 'urn:aws:amazon:com:speke'

/** Algorithm identifiers of content key encryption. @see CPIX 2.3, Key Management */
export const RSA_OAEP_MGF1P = 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p'
export const AES256_CBC = 'http://www.w3.org/2001/04/xmlenc#aes256-cbc'
export const HMAC_SHA512 = 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha512'
