import { AMP, CR, isChar, LF, TAB } from './characters.ts'
import { malformed, type XmlError } from './error.ts'

/**
 * The character a reference stands for, where `at` is its `&` and `semicolon` its `;`. Undefined where it is malformed or
 * names an entity other than the five predefined ones.
 * @see XML 1.0, 4.1 and 4.6
 */
export function referencedText(source: string, at: number, semicolon: number): string | undefined {
  if (source[at + 1] === '#') return characterReference(source, at + 2, semicolon)
  return semicolon - at <= LONGEST_PREDEFINED ? PREDEFINED.get(source.slice(at + 1, semicolon)) : undefined
}

/**
 * An attribute value, normalized and with references resolved, from the raw text between its quotes.
 * @see XML 1.0, 2.11 and 3.3.3
 */
export function normalizeValue(source: string, from: number, to: number): string {
  let value = ''
  let plain = from
  for (let at = from; at < to; at++) {
    const code = source.charCodeAt(at)
    if (code === AMP) {
      const semicolon = source.indexOf(';', at)
      const text = semicolon < to ? referencedText(source, at, semicolon) : undefined
      if (text === undefined) throw badReference(source, at)
      value += source.slice(plain, at) + text
      at = semicolon
      plain = at + 1
    } else if (code === LF || code === TAB || code === CR) {
      value += `${source.slice(plain, at)} `
      if (code === CR && source.charCodeAt(at + 1) === LF) at++
      plain = at + 1
    }
  }
  return value + source.slice(plain, to)
}

/** The error for a reference that is malformed or names an entity nobody declared. */
export function badReference(source: string, at: number): XmlError {
  return malformed(source, at, 'only &amp; &lt; &gt; &quot; &apos; and references to allowed characters may follow "&"')
}

/**
 * The text of character data without markup: line ends normalized, references resolved. The reader has checked them.
 * @see XML 1.0, 2.11
 */
export function resolveText(raw: string): string {
  const lines = normalizeLines(raw)
  if (!lines.includes('&')) return lines
  return lines.replace(/&[^;]*;/g, (reference) => referencedText(reference, 0, reference.length - 1) ?? reference)
}

/** Text with every line end as \n. @see XML 1.0, 2.11 */
export function normalizeLines(raw: string): string {
  return raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw
}

const PREDEFINED: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
])
const LONGEST_PREDEFINED = '&quot'.length

function characterReference(source: string, from: number, semicolon: number): string | undefined {
  const isHex = source[from] === 'x'
  const radix = isHex ? 16 : 10
  const digits = isHex ? from + 1 : from
  if (digits >= semicolon) return undefined
  let value = 0
  for (let at = digits; at < semicolon; at++) {
    const digit = digitOf(source.charCodeAt(at))
    if (digit >= radix || value > 0x10ffff) return undefined
    value = value * radix + digit
  }
  return isChar(value) ? String.fromCodePoint(value) : undefined
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 16
}
