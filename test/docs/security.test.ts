import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { nearestName } from '../../src/core/nearest.ts'
import { PACKAGE } from '../cli/run.ts'
import { pageOf, sectionOf } from './pages.ts'

/** A guarantee of SECURITY.md, with the tests that it names. */
interface Guarantee {
  readonly number: number
  readonly tests: readonly { readonly file: string; readonly title: string }[]
}

const guarantees: readonly Guarantee[] = sectionOf(pageOf('SECURITY.md'), 'Guarantees')
  .split(/^(?=\d+\. )/m)
  .slice(1)
  .map((text) => ({
    number: Number.parseInt(text, 10),
    tests: [...text.matchAll(/^ +- `(test\/[^`]+)`: ((?:.+\n(?! *-|\n|#|$))*.+)/gm)].map(
      ([, file = '', title = '']) => ({
        file,
        title: title.replaceAll(/\s+/g, ' ').trim(),
      }),
    ),
  }))

/** The titles of the tests and suites of a file, as they are written there: `${…}` stands for a value. */
function titlesIn(file: string): readonly string[] {
  const text = readFileSync(join(PACKAGE, file), 'utf8')
  return [...text.matchAll(/\b(?:test|it|describe)\(\s*(['`"])((?:\\.|(?!\1).)*)\1/g)].map(([, , title = '']) =>
    title.replaceAll(/\$\{[^}]*\}/g, '…').replaceAll(/\\(.)/g, '$1'),
  )
}

test('SECURITY.md numbers its guarantees without a gap', () => {
  assert.deepEqual(
    guarantees.map(({ number }) => number),
    guarantees.map((_, i) => i + 1),
  )
  assert.ok(guarantees.length >= 30)
})

describe('SECURITY.md', () => {
  for (const { number, tests } of guarantees) {
    test(`guarantee ${number} names tests that exist`, () => {
      assert.ok(tests.length > 0, `guarantee ${number} names no test: add a line "- \`test/…\`: title"`)
      for (const { file, title } of tests) {
        assert.ok(existsSync(join(PACKAGE, file)), `${file} does not exist: name its new place in SECURITY.md`)
        const titles = titlesIn(file)
        const near = nearestName(title, titles) ?? titles.join(' | ')
        assert.ok(titles.includes(title), `${file} has no test "${title}": name the new title in SECURITY.md. ${near}`)
      }
    })
  }
})
