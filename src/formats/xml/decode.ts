import { Buffer, isAscii, isUtf8 } from 'node:buffer'
import { decodeUtf16be, decodeUtf16le } from '../../core/utf16.ts'
import { FORBIDDEN, isSpace, QUESTION } from './characters.ts'
import { malformed, overLimit } from './error.ts'

/**
 * The text of a document in UTF-8 or UTF-16, without its byte order mark. Every character of it is a Char. The declaration of a
 * document in UTF-16 says UTF-8 in the result, for that is how an answer with the text is written.
 *
 * @see XML 1.0, 4.3.3 and appendix F
 */
export function decodeXml(bytes: Uint8Array, maxBytes: number): string {
  if (bytes.length > maxBytes) throw overLimit('', 0, `the document is larger than ${maxBytes} bytes`)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const source = isWide(bytes)
    ? decodeWide(text)
    : isAscii(text)
      ? text.toString('latin1')
      : decodeUtf8(startsWithMark(text) ? text.subarray(3) : text)
  const forbidden = source.search(FORBIDDEN)
  if (forbidden !== -1) throw malformed(source, forbidden, 'a character that XML 1.0 does not allow')
  return source
}

/**
 * The offset just past the XML declaration, 0 without one.
 * @see XML 1.0, 2.8, production 23
 */
export function declarationEnd(source: string): number {
  if (!source.startsWith('<?xml')) return 0
  const next = source.charCodeAt('<?xml'.length)
  if (next !== QUESTION && !isSpace(next)) return 0
  DECLARATION.lastIndex = 0
  const found = DECLARATION.exec(source)
  if (found === null) throw malformed(source, 0, 'the XML declaration is malformed')
  const [declaration, version = '', quotedEncoding] = found
  if (version.slice(1, -1) !== '1.0') throw malformed(source, 0, 'the XML version must be 1.0')
  const encoding = quotedEncoding?.slice(1, -1)
  if (encoding !== undefined && !/^(?:utf-?8|us-ascii)$/i.test(encoding)) {
    throw malformed(source, 0, 'the XML declaration names another encoding than that of the document; send it in UTF-8')
  }
  return declaration.length
}

const DECLARATION = new RegExp(
  `<\\?xml${pseudoAttribute('version', '[0-9.]+')}` +
    `(?:${pseudoAttribute('encoding', '[A-Za-z][A-Za-z0-9._-]*')})?` +
    `(?:${pseudoAttribute('standalone', '(?:yes|no)')})?[ \\t\\r\\n]*\\?>`,
  'y',
)

function pseudoAttribute(name: string, value: string): string {
  return `[ \\t\\r\\n]+${name}[ \\t\\r\\n]*=[ \\t\\r\\n]*("${value}"|'${value}')`
}

/** Whether the bytes begin as UTF-16 or UTF-32: with a byte order mark, or with an ASCII character beside zero bytes. */
function isWide(bytes: Uint8Array): boolean {
  const [first, second] = bytes
  if ((first === 0xfe && second === 0xff) || (first === 0xff && second === 0xfe)) return true
  return second !== undefined && (first === 0 || second === 0)
}

function decodeWide(bytes: Buffer): string {
  const [first, second, third, fourth] = bytes
  const isUtf32 =
    (third === 0 && fourth === 0 && (first !== 0 || second !== 0)) ||
    (first === 0 && second === 0 && ((third === 0xfe && fourth === 0xff) || third === 0))
  if (isUtf32) throw malformed('', 0, 'the document is in UTF-32; send it in UTF-8')
  const isBigEndian = first === 0xfe || first === 0
  const text = isBigEndian ? decodeUtf16be(bytes) : decodeUtf16le(bytes)
  const source = text.startsWith('\ufeff') ? text.slice(1) : text
  if (bytes.length % 2 !== 0 || !source.isWellFormed()) {
    throw malformed(source, firstLoneSurrogate(source), 'the document is not valid UTF-16')
  }
  return source.replace(isBigEndian ? UTF_16BE_DECLARED : UTF_16LE_DECLARED, (_, start: string, quoted: string) =>
    // White space keeps every column of the line.
    `${start}"UTF-8"`.padEnd(start.length + quoted.length),
  )
}

const UTF_16LE_DECLARED = /^(<\?xml[^>]*?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*)("utf-16(?:le)?"|'utf-16(?:le)?')/i
const UTF_16BE_DECLARED = /^(<\?xml[^>]*?[ \t\r\n]encoding[ \t\r\n]*=[ \t\r\n]*)("utf-16(?:be)?"|'utf-16(?:be)?')/i

/** The offset of the first surrogate without its other half; the length of a text that has none. */
function firstLoneSurrogate(source: string): number {
  const at = source.search(/\p{Surrogate}/u)
  return at === -1 ? source.length : at
}

function startsWithMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

function decodeUtf8(bytes: Buffer): string {
  const source = bytes.toString('utf8')
  if (!isUtf8(bytes)) {
    throw malformed(source, bytes.toString('utf8', 0, firstInvalid(bytes)).length, 'the document is not valid UTF-8')
  }
  return source
}

/** The offset of the first byte that begins no character of UTF-8. @see The Unicode Standard, table 3-7 */
function firstInvalid(bytes: Buffer): number {
  let at = 0
  for (let size = 1; size > 0 && at < bytes.length; at += size) size = characterSize(bytes, at)
  return at
}

/** The bytes of the character at an offset; 0 for bytes that are none. */
function characterSize(bytes: Buffer, at: number): 0 | 1 | 2 | 3 | 4 {
  const [first, second] = [bytes[at] ?? 0, bytes[at + 1] ?? 0]
  const continues = (offset: number): boolean => ((bytes[offset] ?? 0) & 0xc0) === 0x80
  if (first < 0x80) return 1
  if (first < 0xc2 || first > 0xf4 || !continues(at + 1)) return 0
  if (first < 0xe0) return 2
  if (first < 0xf0) {
    const isForbidden = (first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)
    return isForbidden || !continues(at + 2) ? 0 : 3
  }
  const isForbidden = (first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)
  return isForbidden || !continues(at + 2) || !continues(at + 3) ? 0 : 4
}
