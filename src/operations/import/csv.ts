import { type ImportDraft, type ImportFields, type ImportFormat, MAX_IMPORTED_KEYS, readText } from './draft.ts'

/** Rows of keys under a header: `contentId,kid,key[,iv][,class]`, in any order. Keys are hex or base64. @see RFC 4180 */
export const csvImport: ImportFormat = {
  name: 'csv',
  read({ bytes, contentId }, draft) {
    const [required, optional] = contentId === undefined ? [['contentId'], []] : [[], ['contentId']]
    readTable(bytes, [...required, 'kid', 'key'], ['iv', 'class', ...optional], draft, (row, placeOfField) =>
      draft.add({ ...row, contentId: row.contentId === undefined ? undefined : fromCell(row.contentId) }, placeOfField),
    )
  },
}

/** Text that a spreadsheet runs as a formula, with the apostrophes that mark it as text. */
const FORMULA = /^'*[=+\-@\t\r]/

/** Text as a CSV cell. A spreadsheet shows a leading apostrophe as a mark of text. */
export function toCell(text: string): string {
  return FORMULA.test(text) ? `'${text}` : text
}

/** The text that `toCell` was given. */
function fromCell(cell: string): string {
  return cell.startsWith("'") && FORMULA.test(cell) ? cell.slice(1) : cell
}

type Row = ImportFields & Readonly<Record<string, string | undefined>>

/** Limits of a table; beyond them a text is not a table of keys, and reading it would take long. */
const MAX_FIELDS = 64
const MAX_FIELD = 4_096
const MAX_LINES = 4 * MAX_IMPORTED_KEYS

/** Reads rows under a header that has each required column once and no other columns except `optional`. */
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
  for (const fields of readCsv(text, (place, problem) => draft.problem(place, problem))) {
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
      draft.problem(start, `expected ${columns.length} fields as in the header, got ${fields.length}`)
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

/** Problems name the place of a header field and not its text: if the header is missing, the text is a key. */
function readHeader(
  fields: readonly CsvField[],
  required: readonly string[],
  optional: readonly string[],
  draft: ImportDraft,
): readonly string[] | undefined {
  const known = [...required, ...optional]
  const unknown = fields.filter(({ text }) => !known.includes(text))
  for (const field of unknown) draft.problem(placeOf(field), `expected a column name: ${known.join(', ')}`)
  const names = fields.map(({ text }) => text)
  for (const [i, field] of fields.entries()) {
    if (names.indexOf(field.text) < i) draft.problem(placeOf(field), 'the header has this column twice')
  }
  const missing = required.filter((name) => !names.includes(name))
  if (missing.length > 0) draft.problem('line 1', `the header lacks ${missing.join(', ')}`)
  return unknown.length > 0 || missing.length > 0 || new Set(names).size < names.length ? undefined : names
}

/** A field of a row, and its place, counted from 1. */
interface CsvField {
  readonly text: string
  readonly line: number
  readonly column: number
}

/** Receives a problem and its place. */
type CsvProblem = (place: string, problem: string) => void

/**
 * The rows of a CSV text. A line ends with CRLF or LF. Quotes enclose commas, doubled quotes and line breaks. Ignores empty
 * lines. A malformed quoted field is a problem and ends the text.
 * @see RFC 4180, 2
 */
function* readCsv(text: string, problem: CsvProblem): Generator<readonly CsvField[]> {
  let at = 0
  let line = 1
  let lineStart = 0
  while (at < text.length) {
    if (line > MAX_LINES) return problem('the file', `expected at most ${MAX_LINES} lines; split it`)
    if (text[at] === '\n' || (text[at] === '\r' && text[at + 1] === '\n')) {
      at += text[at] === '\r' ? 2 : 1
      line++
      lineStart = at
      continue
    }
    const row: CsvField[] = []
    for (;;) {
      const place = { line, column: at - lineStart + 1 }
      if (text[at] === '"') {
        const end = endOfQuoted(text, at)
        if (end === undefined) return problem(placeOf(place), 'the quoted field is not closed')
        if (end - at > MAX_FIELD) return problem(placeOf(place), TOO_LONG)
        const content = text.slice(at + 1, end)
        row.push({ text: content.replaceAll('""', '"'), ...place })
        for (let i = content.indexOf('\n'); i !== -1; i = content.indexOf('\n', i + 1)) {
          line++
          lineStart = at + 1 + i + 1
        }
        at = end + 1
        if (!/^(,|\r?\n|$)/.test(text.slice(at, at + 2))) {
          return problem(placeOf({ line, column: at - lineStart + 1 }), 'expected a comma or the end of the line')
        }
      } else {
        const end = endOfPlain(text, at)
        if (end - at > MAX_FIELD) return problem(placeOf(place), TOO_LONG)
        row.push({ text: text.slice(at, end), ...place })
        at = end
      }
      if (text[at] !== ',') break
      if (row.length === MAX_FIELDS) return problem(placeOf(place), `expected at most ${MAX_FIELDS} fields in a row`)
      at++
    }
    at += text[at] === '\r' ? 2 : 1
    line++
    lineStart = at
    if (row.length > 1 || row[0]?.text !== '') yield row
  }
}

const TOO_LONG = `expected a field of at most ${MAX_FIELD} characters`

function placeOf({ line, column }: Pick<CsvField, 'line' | 'column'>): string {
  return `line ${line}, column ${column}`
}

/** The offset of the quote that closes the field opened at `at`; undefined if none does within the limit. */
function endOfQuoted(text: string, at: number): number | undefined {
  for (let end = text.indexOf('"', at + 1); end !== -1; end = text.indexOf('"', end + 2)) {
    if (text[end + 1] !== '"' || end - at > MAX_FIELD) return end
  }
  return undefined
}

function endOfPlain(text: string, at: number): number {
  let end = at
  while (
    end < text.length &&
    end - at <= MAX_FIELD &&
    text[end] !== ',' &&
    text[end] !== '\n' &&
    !(text[end] === '\r' && text[end + 1] === '\n')
  )
    end++
  return end
}
