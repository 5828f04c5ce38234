import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'

/** A place in a document. Both count from 1, columns in characters (code points). */
export interface XmlPosition {
  readonly line: number
  readonly column: number
}

/** The document is not well-formed, or exceeds a limit. The message can contain names, never text or values. */
export class XmlError extends KeyProviderError {
  override readonly name = 'XmlError'
  readonly line: number
  readonly column: number

  constructor(code: ErrorCode & `ERR_XML_${string}`, { line, column }: XmlPosition, problem: string) {
    super(code, `line ${line}, column ${column}: ${problem}`)
    this.line = line
    this.column = column
  }
}

/** The error for XML that is not well-formed at `offset`. */
export function malformed(source: string, offset: number, problem: string): XmlError {
  return new XmlError('ERR_XML_MALFORMED', positionAt(source, offset), problem)
}

/** The error for a document that exceeds a limit at `offset`. */
export function overLimit(source: string, offset: number, problem: string): XmlError {
  return new XmlError('ERR_XML_LIMIT', positionAt(source, offset), problem)
}

/**
 * The line and column of an offset. A line ends with \n, \r\n or \r.
 * @see XML 1.0, 2.11
 */
export function positionAt(source: string, offset: number): XmlPosition {
  let line = 1
  let column = 1
  for (let at = 0; at < offset; at++) {
    const code = source.charCodeAt(at)
    if (code === 0x0a || (code === 0x0d && source.charCodeAt(at + 1) !== 0x0a)) {
      line++
      column = 1
    } else if ((code < 0xdc00 || code > 0xdfff) && code !== 0x0d) {
      column++
    }
  }
  return { line, column }
}

/** A name for a message: at most 64 characters, with `?` for those that do not print. */
export function shownName(name: string): string {
  const characters = [...name.slice(0, 2 * SHOWN)]
  const shown = characters.slice(0, SHOWN).join('').replace(NOT_PRINTABLE, '?')
  return `"${shown}${name.length > shown.length ? '…' : ''}"`
}

const SHOWN = 64
const NOT_PRINTABLE = /[^\x21-\x7e\p{L}\p{N}]/gu
