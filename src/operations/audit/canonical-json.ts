/** A value as JSON has it. Members that are undefined are left out. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined }

/**
 * The one spelling of a value: no white space, members in the order of their names' UTF-16 code units, numbers and strings as
 * ECMAScript writes them. Throws RangeError for a number that is not finite and for text with a lone surrogate.
 * @see RFC 8785, 3.2
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'string') return canonicalText(value)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('a number that is not finite')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join()}]`
  const members: string[] = []
  // The order of `sort` without a comparison is that of the UTF-16 code units.
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
