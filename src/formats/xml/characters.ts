import { malformed, overLimit } from './error.ts'
import type { Namespace, NamespaceScope } from './namespaces.ts'
/** Code units of markup. */
export const TAB = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SPACE = 0x20
export const BANG = 0x21
export const QUOTE = 0x22
export const AMP = 0x26
export const APOS = 0x27
export const SLASH = 0x2f
const COLON = 0x3a
export const LT = 0x3c
export const EQUALS = 0x3d
export const GT = 0x3e
export const QUESTION = 0x3f
export const RIGHT_BRACKET = 0x5d

/**
 * Finds characters that no document may contain. Text decoded from UTF-8 has no lone surrogates.
 * @see XML 1.0, 2.2, production 2
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
export const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/

/** Whether a code point is a Char. @see XML 1.0, 2.2, production 2 */
export function isChar(code: number): boolean {
  if (code < SPACE) return code === TAB || code === LF || code === CR
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || (code >= 0x10000 && code <= 0x10ffff)
}

/** Whether a code unit is white space. @see XML 1.0, 2.3, production 3 */
export function isSpace(code: number): boolean {
  return code === SPACE || code === LF || code === TAB || code === CR
}

/** The offset of the first character from `at` on that is not white space. */
export function skipSpace(source: string, at: number): number {
  while (at < source.length && isSpace(source.charCodeAt(at))) at++
  return at
}

/** Whether a code point may begin a name; the colon may not. @see Namespaces in XML 1.0, production 4 */
export function isNameStart(code: number): boolean {
  return code < 0x80 ? (ASCII_NAME[code] ?? 0) === START : within(NAME_START_RANGES, code)
}

/** Whether a code point may occur in a qualified name, the colon included. @see XML 1.0, 2.3, production 4a */
export function isNameChar(code: number): boolean {
  if (code < 0x80) return ASCII_NAME[code] !== 0
  return within(NAME_START_RANGES, code) || within(NAME_RANGES, code)
}

/** The offset just past the name characters that begin at `at`. */
export function nameEnd(source: string, at: number): number {
  while (at < source.length) {
    const code = source.charCodeAt(at)
    if (code < 0x80) {
      if (ASCII_NAME[code] === 0) break
      at++
    } else {
      const point = source.codePointAt(at) ?? 0
      if (!isNameChar(point)) break
      at += point > 0xffff ? 2 : 1
    }
  }
  return at
}

const START = 1
const INSIDE = 2
const ASCII_NAME = Uint8Array.from({ length: 0x80 }, (_, code) => {
  const character = String.fromCharCode(code)
  if (/[A-Za-z_]/.test(character)) return START
  return /[-.0-9:]/.test(character) ? INSIDE : 0
})

// First and last of each range, one pair after the other.
// biome-ignore format: pairs
const NAME_START_RANGES = Uint32Array.of(
  0xc0, 0xd6, 0xd8, 0xf6, 0xf8, 0x2ff, 0x370, 0x37d, 0x37f, 0x1fff, 0x200c, 0x200d, 0x2070, 0x218f, 0x2c00, 0x2fef,
  0x3001, 0xd7ff, 0xf900, 0xfdcf, 0xfdf0, 0xfffd, 0x10000, 0xeffff,
)
const NAME_RANGES = Uint32Array.of(0xb7, 0xb7, 0x300, 0x36f, 0x203f, 0x2040)

function within(ranges: Uint32Array, code: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) if (code >= (ranges[i] ?? 0) && code <= (ranges[i + 1] ?? 0)) return true
  return false
}

/** A qualified name of a document, with the meaning its prefix had in the scope of that version. */
export interface QName {
  readonly name: string
  readonly prefix: string
  readonly local: string
  version: number
  namespace: Namespace | undefined
}

/** Names seen before, by hash: a name that recurs is neither copied nor split again. */
export type NameTable = (QName | undefined)[]

const SLOTS = 64

/** The qualified name that begins at `at`. @see Namespaces in XML 1.0, production 7 */
export function readName(source: string, at: number, known: NameTable, maxLength: number): QName {
  let end = at
  let hash = 0
  for (; end < source.length; end++) {
    const code = source.charCodeAt(end)
    if (code < 0x80 ? !isNameChar(code) : true) break
    hash = (Math.imul(hash, 31) + code) | 0
  }
  if (end < source.length && source.charCodeAt(end) >= 0x80) {
    end = nameEnd(source, end)
    hash = Math.imul(hash, 31) + (end - at) + source.charCodeAt(at) + source.charCodeAt(end - 1)
  }
  const length = end - at
  const slot = hash & (SLOTS - 1)
  const same = known[slot]
  if (same !== undefined && same.name.length === length && source.startsWith(same.name, at)) return same
  if (length > maxLength) throw overLimit(source, at, `a name is longer than ${maxLength} characters`)
  const qname = splitName(source, at, end)
  known[slot] = qname
  return qname
}

/** Whether text is a qualified name. @see Namespaces in XML 1.0, production 7 */
export function isQName(text: string): boolean {
  if (text === '' || nameEnd(text, 0) !== text.length) return false
  return text.split(':').length <= 2 && text.split(':').every(startsAsName)
}

/** The namespace `qname` has in `scope`; undefined where its prefix is not declared. */
export function resolve(qname: QName, scope: NamespaceScope): Namespace | undefined {
  if (qname.version !== scope.version) {
    qname.namespace = scope.bindings.get(qname.prefix)
    qname.version = scope.version
  }
  return qname.namespace
}

function splitName(source: string, at: number, end: number): QName {
  const name = source.slice(at, end)
  if (!startsAsName(name)) throw malformed(source, at, 'a name was expected')
  let colon = -1
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) !== COLON) continue
    if (colon !== -1) throw malformed(source, at + i, 'a name must not have two colons')
    colon = i
  }
  const local = colon === -1 ? name : name.slice(colon + 1)
  if (!startsAsName(local)) throw malformed(source, at + colon + 1, 'a local name was expected after the colon')
  return { name, prefix: colon === -1 ? '' : name.slice(0, colon), local, version: 0, namespace: undefined }
}

function startsAsName(text: string): boolean {
  return text !== '' && isNameStart(text.codePointAt(0) ?? 0)
}
