/** `text` as character data. Throws RangeError for a character that XML 1.0 does not allow. @see XML 1.0, 2.4 */
export function escapeText(text: string): string {
  if (!SPECIAL.test(text)) return text
  rejectForbidden(text)
  return text.replace(/[&<>\r]/g, escaped)
}

/**
 * `value` escaped for an attribute in either kind of quotes. Throws RangeError for a character that XML 1.0 does not allow.
 * @see XML 1.0, 3.3.3: white space that is not a reference would be read as a space
 */
export function escapeAttribute(value: string): string {
  if (!SPECIAL.test(value)) return value
  rejectForbidden(value)
  return value.replace(/[&<>"'\t\n\r]/g, escaped)
}

const REFERENCES: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
  ["'", '&apos;'],
  ['\t', '&#9;'],
  ['\n', '&#10;'],
  ['\r', '&#13;'],
])

// Every character that may need an escape; surrogates are checked further.
const SPECIAL = /[^ !#-%(-;=?-\ud7ff\ue000-\ufffd]/
const FORBIDDEN = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u

function escaped(character: string): string {
  return REFERENCES.get(character) ?? character
}

function rejectForbidden(text: string): void {
  if (FORBIDDEN.test(text)) throw new RangeError('a character that XML 1.0 does not allow')
}
