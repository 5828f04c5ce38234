/** A row has no more fields: it is no table then, and would be read for long. */
const MAX_FIELDS = 64

/** A field of a row and where it stands, both counted from 1. */
export interface CsvField {
  readonly text: string
  readonly line: number
  readonly column: number
}

/** Told of what is wrong and where. */
export type CsvProblem = (place: string, problem: string) => void

/**
 * The rows of a CSV text. A line may end with CRLF or LF, quotes enclose commas, quotes (doubled) and line breaks; an empty line is
 * no row. What breaks a quoted field is told, and reading ends there.
 * @see RFC 4180, 2
 */
export function* readCsv(text: string, problem: CsvProblem): Generator<readonly CsvField[]> {
  let at = 0
  let line = 1
  let lineStart = 0
  while (at < text.length) {
    const row: CsvField[] = []
    for (;;) {
      const place = { line, column: at - lineStart + 1 }
      if (text[at] === '"') {
        const end = endOfQuoted(text, at)
        if (end === undefined) return problem(placeOf(place), 'the quoted field is not closed')
        const content = text.slice(at + 1, end)
        row.push({ text: content.replaceAll('""', '"'), ...place })
        for (const { index } of content.matchAll(/\n/g)) {
          line++
          lineStart = at + 1 + index + 1
        }
        at = end + 1
        if (!/^(,|\r?\n|$)/.test(text.slice(at, at + 2))) {
          return problem(placeOf({ line, column: at - lineStart + 1 }), 'expected a comma or the end of the line')
        }
      } else {
        const end = endOfPlain(text, at)
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

/** Where a field stands, in words. */
export function placeOf({ line, column }: Pick<CsvField, 'line' | 'column'>): string {
  return `line ${line}, column ${column}`
}

/** The offset of the quote that closes the field opened at `at`. */
function endOfQuoted(text: string, at: number): number | undefined {
  for (let end = text.indexOf('"', at + 1); end !== -1; end = text.indexOf('"', end + 2)) {
    if (text[end + 1] !== '"') return end
  }
  return undefined
}

function endOfPlain(text: string, at: number): number {
  let end = at
  while (
    end < text.length &&
    text[end] !== ',' &&
    text[end] !== '\n' &&
    !(text[end] === '\r' && text[end + 1] === '\n')
  )
    end++
  return end
}
