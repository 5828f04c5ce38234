import { jsonShapeProblem } from '../../core/json-shape.ts'
import { type ImportDraft, type ImportFormat, MAX_IMPORTED_KEYS, readText } from './draft.ts'

/** An array of keys, or `{ "keys": [...] }`. Each key has `contentId`, `kid`, `key`, and optionally `iv` and `class`. */
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

type Members = Readonly<Record<string, unknown>>

/** Enough for the largest import in every format. */
const LIMITS = { depth: 8, values: 20 * MAX_IMPORTED_KEYS, members: 64 }

/** The JSON value of `bytes`; undefined, with a problem, if it is not JSON. The error of the parser quotes the text, so it is dropped. */
export function readJson(bytes: Uint8Array, draft: ImportDraft): { readonly value: unknown } | undefined {
  const problem = jsonShapeProblem(bytes, LIMITS)
  if (problem !== undefined) {
    draft.problem('the file', `${problem}; split it`)
    return undefined
  }
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

/** The objects of an array, or of the array in the member `member` of an object. */
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

/** The named members of an object, each a text. Any other member, except `besides`, is a problem. */
export function stringsOf<F extends string>(
  members: Members,
  path: string,
  fields: readonly F[],
  draft: ImportDraft,
  besides: readonly string[] = [],
): Readonly<Record<F, string | undefined>> {
  const known = [...fields, ...besides]
  // The problem does not quote an unknown name: it can be a key in the wrong place.
  if (Object.keys(members).some((name) => !known.includes(name))) {
    draft.problem(path, `expected only the members ${known.join(', ')}`)
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
