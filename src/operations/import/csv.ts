import { type CsvField, placeOf, readCsv } from './csv-rows.ts'
import { type ImportDraft, type ImportFields, MAX_IMPORTED_KEYS } from './draft.ts'
import { type ImportFormat, readText } from './format.ts'

/** Rows of keys under a header: `contentId,kid,key[,iv][,class]`, in any order. Keys are hex or base64. @see RFC 4180 */
export const csvImport: ImportFormat = {
  name: 'csv',
  read({ bytes, contentId }, draft) {
    const [required, optional] = contentId === undefined ? [['contentId'], []] : [[], ['contentId']]
    readTable(bytes, [...required, 'kid', 'key'], ['iv', 'class', ...optional], draft, draft.add)
  },
}

type Row = ImportFields & Readonly<Record<string, string | undefined>>

/** Reads rows under a header that names each required column once and others only of `optional`. */
export function readTable(
  bytes: Uint8Array,
  required: readonly string[],
  optional: readonly string[],
  draft: ImportDraft,
  take: (row: Row, placeOfField: (column: string) => string) => void,
): void {
  const text = readText(bytes, draft)
  if (text === undefined) return
  let columns: readonly string[] | undefined
  let rows = 0
  for (const fields of readCsv(text, draft.problem)) {
    if (columns === undefined) {
      columns = readHeader(fields, required, optional, draft)
      if (columns === undefined) return
      continue
    }
    rows++
    if (rows > MAX_IMPORTED_KEYS) {
      draft.problem('the file', `expected at most ${MAX_IMPORTED_KEYS} rows; split it`)
      return
    }
    const [first] = fields
    const start = first === undefined ? 'the file' : placeOf(first)
    if (fields.length !== columns.length) {
      draft.problem(start, `expected ${columns.length} fields as in the header, not ${fields.length}`)
      continue
    }
    const named = new Map(columns.map((column, i): [string, CsvField | undefined] => [column, fields[i]]))
    const row = Object.fromEntries([...named].map(([column, field]) => [column, field?.text])) as Row
    take(row, (column) => {
      const field = named.get(column)
      return field === undefined ? start : `${placeOf(field)} (${column})`
    })
  }
  if (columns === undefined) draft.problem('the file', `expected a header row: ${required.join(',')}`)
}

/** The text of a header is told by its place only: where the header was forgotten, it is a key. */
function readHeader(
  fields: readonly CsvField[],
  required: readonly string[],
  optional: readonly string[],
  draft: ImportDraft,
): readonly string[] | undefined {
  const known = [...required, ...optional]
  const unknown = fields.filter(({ text }) => !known.includes(text))
  for (const field of unknown)
    draft.problem(placeOf(field), `expected a column name of the header: ${known.join(', ')}`)
  const names = fields.map(({ text }) => text)
  for (const [i, field] of fields.entries()) {
    if (names.indexOf(field.text) < i) draft.problem(placeOf(field), 'the header has this column already')
  }
  const missing = required.filter((name) => !names.includes(name))
  if (missing.length > 0) draft.problem('line 1', `the header lacks ${missing.join(', ')}`)
  return unknown.length > 0 || missing.length > 0 || new Set(names).size < names.length ? undefined : names
}
