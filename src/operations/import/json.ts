import { type ImportDraft, MAX_IMPORTED_KEYS } from './draft.ts'
import { type ImportFormat, readText } from './format.ts'

/** An array of keys, or `{ "keys": [...] }`; each has `contentId`, `kid`, `key`, and may have `iv` and `class`. */
export const jsonImport: ImportFormat = {
  name: 'json',
  read({ bytes }, draft) {
    const parsed = readJson(bytes, draft)
    if (parsed === undefined) return
    for (const { members, path } of objectsIn(parsed.value, 'keys', draft)) {
      const fields = stringsOf(members, path, FIELDS, draft)
      draft.add(fields, (field) => `${path}.${field}`)
    }
  },
}

const FIELDS = ['contentId', 'kid', 'key', 'iv', 'class'] as const

export type Members = Readonly<Record<string, unknown>>

/** The JSON value of `bytes`; undefined and a problem when it is none. What V8 says of it is not told: it quotes the text. */
export function readJson(bytes: Uint8Array, draft: ImportDraft): { readonly value: unknown } | undefined {
  const text = readText(bytes, draft)
  if (text === undefined) return undefined
  try {
    return { value: JSON.parse(text) }
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    draft.problem('the file', 'expected JSON')
    return undefined
  }
}

/** The objects of an array, or of the array that stands in an object as `member`. */
export function* objectsIn(
  value: unknown,
  member: string,
  draft: ImportDraft,
): Generator<{ readonly members: Members; readonly path: string }> {
  const list = isObject(value) ? value[member] : value
  if (!Array.isArray(list))
    return draft.problem('the file', `expected an array, or an object with an array as "${member}"`)
  for (const [i, item] of list.entries()) {
    if (i === MAX_IMPORTED_KEYS)
      return draft.problem('the file', `expected at most ${MAX_IMPORTED_KEYS} entries; split it`)
    const path = `${member}[${i}]`
    if (isObject(item)) yield { members: item, path }
    else draft.problem(path, 'expected an object')
  }
}

/** Those members of an object that are named, each text; anything else in it is a problem. */
export function stringsOf<F extends string>(
  members: Members,
  path: string,
  fields: readonly F[],
  draft: ImportDraft,
  besides: readonly string[] = [],
): Readonly<Record<F, string | undefined>> {
  const known = [...fields, ...besides]
  // An unknown name is not told: it may be a key that slipped into the wrong place.
  if (Object.keys(members).some((name) => !known.includes(name))) {
    draft.problem(path, `expected no members but ${known.join(', ')}`)
  }
  const read = (field: F): string | undefined => {
    const value = Object.hasOwn(members, field) ? members[field] : undefined
    if (value === undefined || value === null || typeof value === 'string') return value ?? undefined
    draft.problem(`${path}.${field}`, 'expected text')
    return undefined
  }
  return Object.fromEntries(fields.map((field) => [field, read(field)])) as Record<F, string | undefined>
}

export function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
