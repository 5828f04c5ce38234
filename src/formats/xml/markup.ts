/** An element to write: its children, or its text. */
export interface Markup {
  readonly name: string
  readonly attributes?: readonly (readonly [name: string, value: string])[]
  readonly children?: readonly Markup[]
  readonly text?: string
}

/** The document of `root`, two spaces a level. What is empty is written `<a/>`, or `<a></a>` where `pairs` has its name. */
export function writeMarkup(root: Markup, pairs: readonly string[] = []): string {
  return `${lines(root, pairs, '').join('\n')}\n`
}

/** Elements without white space between them, for text that goes into a document. What is empty is written `<a/>`. */
export function writeFragment(elements: readonly Markup[]): string {
  return elements
    .map(({ name, attributes = [], children = [], text }) => {
      const start = [name, ...attributes.map(([key, value]) => `${key}="${escapeAttribute(value)}"`)].join(' ')
      const content = text === undefined ? writeFragment(children) : escapeText(text)
      return content === '' ? `<${start}/>` : `<${start}>${content}</${name}>`
    })
    .join('')
}

function lines(
  { name, attributes = [], children = [], text }: Markup,
  pairs: readonly string[],
  indent: string,
): string[] {
  const start = [name, ...attributes.map(([key, value]) => `${key}="${escapeAttribute(value)}"`)].join(' ')
  if (text !== undefined) return [`${indent}<${start}>${escapeText(text)}</${name}>`]
  if (children.length > 0) {
    const inner = children.flatMap((child) => lines(child, pairs, `${indent}  `))
    return [`${indent}<${start}>`, ...inner, `${indent}</${name}>`]
  }
  return [pairs.includes(name) ? `${indent}<${start}></${name}>` : `${indent}<${start}/>`]
}

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
