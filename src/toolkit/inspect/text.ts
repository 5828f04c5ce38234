import { isUtf8 } from 'node:buffer'
import { decodeUtf16be, decodeUtf16le } from '../../core/utf16.ts'

/** The text that bytes hold, or undefined when they are not UTF-8 or hold control characters that no text has. */
export function textOfBytes(bytes: Uint8Array): string | undefined {
  if (!isUtf8(bytes)) return undefined
  const text = UTF8.decode(bytes)
  return CONTROL.test(text) ? undefined : text
}

/** Where bytes stop being text; their number where they are. */
export function firstNotText(bytes: Uint8Array): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  const at = text.search(isUtf8(bytes) ? CONTROL : /\ufffd/)
  return at === -1 ? bytes.length : Buffer.byteLength(text.slice(0, at))
}

/** The text of UTF-16 with a byte order mark, or that begins with `<`; undefined for other bytes. */
export function textOfUtf16(bytes: Uint8Array): string | undefined {
  const [first, second] = bytes
  if (bytes.length < 2 || bytes.length % 2 !== 0) return undefined
  if ((first === 0xff && second === 0xfe) || (first === LESS_THAN && second === 0))
    return withoutMark(decodeUtf16le(bytes))
  if ((first === 0xfe && second === 0xff) || (first === 0 && second === LESS_THAN)) {
    return withoutMark(decodeUtf16be(bytes))
  }
  return undefined
}

/**
 * The skd URI of FairPlay initialization data: UTF-16LE, in older versions of Safari behind its length in bytes. Undefined for
 * other bytes.
 */
export function skdInitData(bytes: Uint8Array): string | undefined {
  for (const start of [0, 4]) {
    const text = decodeUtf16le(bytes.subarray(start, start + MAX_SKD_BYTES))
    if (/^skd:\/\//i.test(text)) return withoutControls(text)
  }
  return undefined
}

const MAX_SKD_BYTES = 4_096

/** The text up to the first control character, behind which older initialization data has a certificate. */
function withoutControls(text: string): string {
  return text.split(CONTROL)[0] ?? ''
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text
}

/** Text that a terminal shows and does not obey: control characters, and those that turn the direction, as \u escapes. */
export function printable(text: string): string {
  return text.replace(ESCAPED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** What JSON text holds, when it is an object. */
export function jsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!/^\s*\{/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch (problem) {
    if (problem instanceof SyntaxError) return undefined
    throw problem
  }
}

const LESS_THAN = 0x3c
/** Control characters that no text has. */
const CONTROL = /[^\t\n\r\P{Cc}]/u
const UTF8 = new TextDecoder('utf-8')
const ESCAPED = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/gu

/** Bytes, or why the text is not base64: at which character it breaks. */
type Decoded = { readonly bytes: Uint8Array } | { readonly problem: string }

/** Decodes base64 in either alphabet. White space and missing padding are allowed, as encryptors allow them. */
export function decodeBase64(text: string): Decoded {
  const decoded = decodeCutBase64(text)
  return 'bytes' in decoded && decoded.cut !== undefined ? { problem: `not base64: ${decoded.cut}` } : decoded
}

/** The same, but decodes base64 whose end is missing as far as it goes. `cut` says so. */
export function decodeCutBase64(
  text: string,
): { readonly bytes: Uint8Array; readonly cut?: string } | { readonly problem: string } {
  const wrong = /[^A-Za-z0-9+/_\-=\s]|=(?=\s*[^\s=])/.exec(text)
  // The message does not quote the character: the field could hold a key.
  if (wrong !== null) return { problem: `not base64: breaks at character ${wrong.index + 1}` }
  const compact = text.replaceAll(/[\s=]/g, '')
  const bytes = new Uint8Array(Buffer.from(compact, 'base64'))
  if (compact.length % 4 !== 1) return { bytes }
  return { bytes, cut: `${compact.length} characters, the last is cut short` }
}

/** Whether text looks like base64, with or without its end. */
export function looksBase64(text: string): boolean {
  const compact = text.replaceAll(/\s/g, '')
  return compact.length >= 8 && /^[A-Za-z0-9+/_-]+={0,2}$/.test(compact)
}
