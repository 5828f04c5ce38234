import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { rulePage, rulesIndexPage } from '../../../src/toolkit/rules/page.ts'
import { RULES } from '../../../src/toolkit/rules/rules.ts'

const pageText = (name: string): string => readFileSync(new URL(`../../../docs/rules/${name}`, import.meta.url), 'utf8')

test('docs/rules is current (node scripts/rule-pages.ts writes it)', () => {
  const expected = ['README.md', ...RULES.map(({ id }) => `${id}.md`)]
  assert.deepEqual(readdirSync(new URL('../../../docs/rules', import.meta.url)).sort(), expected.sort())
  assert.equal(pageText('README.md'), rulesIndexPage(RULES))
  for (const rule of RULES) assert.equal(pageText(`${rule.id}.md`), rulePage(rule), rule.id)
})
