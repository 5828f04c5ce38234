import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXIT, exitCodeOf } from '../../src/cli/shared/errors.ts'
import { type ErrorCode, KeyProviderError } from '../../src/core/errors.ts'
import { STATUS } from '../../src/http/errors.ts'
import { SpekeError } from '../../src/protocols/speke/error.ts'
import { sourceFiles } from '../source-files.ts'
import { codeIn, pageOf, rowsOf, sectionOf } from './pages.ts'

const page = pageOf('docs/errors.md')
const rows = rowsOf(page.text).filter(([code]) => codeIn(code)?.startsWith('ERR_'))

test('docs/errors.md has one row for each code, with its status', () => {
  const written = rows.map(([code, status]) => [codeIn(code), Number(status)])
  const byName = (a: readonly unknown[], b: readonly unknown[]): number => String(a[0]).localeCompare(String(b[0]))
  assert.deepEqual(written.toSorted(byName), Object.entries(STATUS).toSorted(byName))
})

const SPEKE_CODES = rows.flatMap(([code]) => codeIn(code)?.match(/^ERR_SPEKE_(?!SCHEME_UNKNOWN).*$/) ?? [])

test('the ten refusals of SPEKE stand in a table of their own', () => {
  const own = rowsOf(sectionOf(page, 'The ten refusals of SPEKE')).map(([code]) => codeIn(code))
  assert.deepEqual(own, SPEKE_CODES)
  assert.equal(own.length, 10)
})

for (const code of SPEKE_CODES) {
  test(`docs/errors.md says ${code} in SPEKE's words`, () => {
    const row = rows.find(([cell]) => codeIn(cell) === code)
    assert.equal(
      codeIn(row?.[2]),
      new SpekeError(code as ConstructorParameters<typeof SpekeError>[0], { of: '…' }).message,
    )
  })
}

test('docs/errors.md lists under each exit code the codes that end with it', () => {
  const written = new Map(
    rowsOf(sectionOf(page, 'Exit codes')).map(([exit, , codes = '']) => [Number(exit), codes.match(/ERR_\w+/g) ?? []]),
  )
  assert.deepEqual([...written.keys()], Object.values(EXIT))
  const all = (Object.keys(STATUS) as ErrorCode[]).map(
    (code) => [code, exitCodeOf(new KeyProviderError(code, ''))] as const,
  )
  for (const [exit, codes] of written) {
    const expected = all.filter(([, own]) => own === exit && own !== EXIT.failed).map(([code]) => code)
    assert.deepEqual([...codes].sort(), expected.sort(), `exit code ${exit}`)
  }
})

/** Words in capitals that stand in a documented message for what varies. */
const PLACEHOLDERS =
  /\b(?:PLACE|RULE|NAME|N|ID|TENANT|DATE|FILE|DIRECTORY|DATABASE|SYSTEM|HOST|PROBLEM|WHAT|MODE)\b|…|cenc, cens, cbc1, cbcs/

/** The texts of src/: string literals and templates, joined where `+` joins them; a value is a NUL. */
function textsOfSource(): readonly string[] {
  const texts: string[] = []
  const textOf = (node: unknown): string | undefined => {
    const { type, value, operator, left, right, quasis } = node as Record<string, unknown>
    if (type === 'Literal') return typeof value === 'string' ? value : undefined
    if (type === 'TemplateLiteral')
      return (quasis as { readonly value: { readonly cooked: string } }[]).map((part) => part.value.cooked).join('\0')
    if (type !== 'BinaryExpression' || operator !== '+') return undefined
    return `${textOf(left) ?? '\0'}${textOf(right) ?? '\0'}`
  }
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    const text = Array.isArray(node) ? undefined : textOf(node)
    if (text !== undefined) texts.push(text)
    Object.values(node).forEach(visit)
  }
  for (const { program } of sourceFiles()) visit(program.body)
  return texts
}

test('docs/errors.md quotes messages as src/ has them', () => {
  const texts = textsOfSource()
  const stale = rows.flatMap(([code, , message = '']) =>
    [...message.matchAll(/`([^`]+)`/g)].flatMap(([, quoted = '']) =>
      quoted
        .split(PLACEHOLDERS)
        .flatMap((part) => part.split(/(?<=\.) /))
        .map((part) => part.replace(/^[\s"':,;.]+|[\s"':,;.]+$/g, ''))
        .filter((part) => part.length > 9 && !texts.some((text) => text.includes(part)))
        .map((part) => `${code}: no message contains "${part}"`),
    ),
  )
  assert.deepEqual(stale, [], 'correct the message in docs/errors.md')
})
