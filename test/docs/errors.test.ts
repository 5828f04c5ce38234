import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXIT, exitCodeOf } from '../../src/cli/shared/errors.ts'
import { type ErrorCode, KeyProviderError } from '../../src/core/errors.ts'
import { STATUS } from '../../src/http/errors.ts'
import { SpekeError } from '../../src/protocols/speke/error.ts'
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
