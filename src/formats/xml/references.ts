import { Buffer } from 'node:buffer'
import { decodeUtf16le } from '../../core/utf16.ts'
import { AMP, CR, isChar, LF, SPACE, TAB } from './characters.ts'
import { malformed, type XmlError } from './error.ts'

/**
 * The code point of the character that a reference means, where `at` is its `&` and `semicolon` its `;`; -1 where the
 * reference is malformed or names an entity other than the five predefined ones.
 * @see XML 1.0, 4.1 and 4.6
 */
export function referencedCharacter(source: string, at: number, semicolon: number): number {
  if (source.charCodeAt(at + 1) === HASH) return characterReference(source, at + 2, semicolon)
  for (const { reference, code } of PREDEFINED) {
    if (semicolon - at + 1 === reference.length && source.startsWith(reference, at)) return code
  }
  return -1
}

/** The error for a reference that is malformed or names an undeclared entity. */
export function badReference(source: string, at: number): XmlError {
  return malformed(source, at, 'only &amp; &lt; &gt; &quot; &apos; and references to allowed characters may follow "&"')
}

/**
 * An attribute value, normalized and with references resolved, from the raw text between its quotes.
 * @see XML 1.0, 2.11 and 3.3.3
 */
export function normalizeValue(source: string, from: number, to: number): string {
  return resolved(source, from, to, true)
}

/**
 * Character data between two pieces of markup: line ends normalized, references resolved.
 * @see XML 1.0, 2.11
 */
export function resolveText(source: string, from: number, to: number): string {
  const raw = source.slice(from, to)
  return raw.includes('&') || raw.includes('\r') ? resolved(source, from, to, false) : raw
}

/** Text with every line end as \n. @see XML 1.0, 2.11 */
export function normalizeLines(raw: string): string {
  return raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw
}

const HASH = 0x23
const PREDEFINED = [
  { reference: '&amp;', code: 0x26 },
  { reference: '&lt;', code: 0x3c },
  { reference: '&gt;', code: 0x3e },
  { reference: '&quot;', code: 0x22 },
  { reference: '&apos;', code: 0x27 },
] as const

/** Written into one buffer of UTF-16: no reference is shorter than its character, and 64 KiB can have 13,000 of them. */
function resolved(source: string, from: number, to: number, isValue: boolean): string {
  const units = Buffer.allocUnsafe(2 * (to - from))
  let length = 0
  const write = (unit: number): void => {
    units[length++] = unit & 0xff
    units[length++] = unit >> 8
  }
  for (let at = from; at < to; at++) {
    const code = source.charCodeAt(at)
    if (code === AMP) {
      const semicolon = source.indexOf(';', at)
      const point = semicolon < to ? referencedCharacter(source, at, semicolon) : -1
      if (point === -1) throw badReference(source, at)
      if (point > 0xffff) {
        write(0xd7c0 + (point >> 10))
        write(0xdc00 + (point & 0x3ff))
      } else {
        write(point)
      }
      at = semicolon
    } else if (code === CR) {
      write(isValue ? SPACE : LF)
      if (source.charCodeAt(at + 1) === LF) at++
    } else {
      write(isValue && (code === LF || code === TAB) ? SPACE : code)
    }
  }
  return decodeUtf16le(units.subarray(0, length))
}

function characterReference(source: string, from: number, semicolon: number): number {
  const isHex = source[from] === 'x'
  const radix = isHex ? 16 : 10
  const digits = isHex ? from + 1 : from
  if (digits >= semicolon) return -1
  let value = 0
  for (let at = digits; at < semicolon; at++) {
    const digit = digitOf(source.charCodeAt(at))
    if (digit >= radix || value > 0x10ffff) return -1
    value = value * radix + digit
  }
  return isChar(value) ? value : -1
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 16
}
