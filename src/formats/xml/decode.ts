import { Buffer, isAscii, isUtf8 } from 'node:buffer'
import { FORBIDDEN, isSpace, QUESTION } from './characters.ts'
import { malformed, overLimit } from './error.ts'

/**
 * The text of a document in UTF-8, without its byte order mark. All of it is Char.
 * @see XML 1.0, 4.3.3 and appendix F
 */
export function decodeXml(bytes: Uint8Array, maxBytes: number): string {
  if (bytes.length > maxBytes) throw overLimit('', 0, `the document is larger than ${maxBytes} bytes`)
  if (isWide(bytes)) throw malformed('', 0, 'the document is in UTF-16 or UTF-32; send it in UTF-8')
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const source = isAscii(text) ? text.toString('latin1') : decodeUtf8(startsWithMark(text) ? text.subarray(3) : text)
  const forbidden = source.search(FORBIDDEN)
  if (forbidden !== -1) throw malformed(source, forbidden, 'a character that XML 1.0 does not allow')
  return source
}

/**
 * The offset just past the XML declaration, 0 where there is none.
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
    throw malformed(source, 0, 'the XML declaration names an encoding other than UTF-8; send the document in UTF-8')
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

/** Whether the bytes begin as UTF-16 or UTF-32 does: with its mark, or with `<` beside zero bytes. */
function isWide(bytes: Uint8Array): boolean {
  const [first, second] = bytes
  if ((first === 0xfe && second === 0xff) || (first === 0xff && second === 0xfe)) return true
  return second !== undefined && (first === 0 || second === 0)
}

function startsWithMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf
}

function decodeUtf8(bytes: Buffer): string {
  const source = bytes.toString('utf8')
  if (!isUtf8(bytes)) throw malformed(source, firstReplaced(source, bytes), 'the document is not valid UTF-8')
  return source
}

/** The offset of the first U+FFFD in `source` that stands for bytes that could not be decoded. */
function firstReplaced(source: string, bytes: Buffer): number {
  let byteOffset = 0
  let from = 0
  for (;;) {
    const at = source.indexOf('\ufffd', from)
    byteOffset += Buffer.byteLength(source.slice(from, at))
    if (bytes.toString('latin1', byteOffset, byteOffset + 3) !== '\xef\xbf\xbd') return at
    byteOffset += 3
    from = at + 1
  }
}
