/** A JSON value. Members that are undefined are left out. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined }

/**
 * The canonical text of a value: no white space, members sorted by the UTF-16 code units of their names, numbers and strings
 * in the spelling of ECMAScript. Throws RangeError for a number that is not finite and for text with a lone surrogate.
 * @see RFC 8785, 3.2
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'string') return canonicalText(value)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('a number that is not finite')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join()}]`
  const members: string[] = []
  // Without a comparison function, `sort` orders by UTF-16 code units.
  for (const name of Object.keys(value).sort()) {
    const member = value[name]
    if (member !== undefined) members.push(`${canonicalText(name)}:${canonicalJson(member)}`)
  }
  return `{${members.join()}}`
}

function canonicalText(text: string): string {
  if (!text.isWellFormed()) throw new RangeError('text with a lone surrogate')
  return JSON.stringify(text)
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}
