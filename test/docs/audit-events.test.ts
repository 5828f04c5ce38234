import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AUDIT_ACTIONS } from '../../src/operations/ports/audit.ts'
import { EVENT_TYPES } from '../../src/operations/ports/events.ts'
import { codeIn, pageOf, rowsOf } from './pages.ts'

const firstCells = (file: string): readonly (string | undefined)[] =>
  rowsOf(pageOf(file).text).map(([cell]) => codeIn(cell))

test('docs/guides/audit.md has a row for each action', () => {
  const written = firstCells('docs/guides/audit.md')
  for (const action of AUDIT_ACTIONS) assert.ok(written.includes(action), action)
})

test('docs/guides/events.md has a row for each type', () => {
  const written = firstCells('docs/guides/events.md')
  for (const type of EVENT_TYPES) assert.ok(written.includes(type), type)
})
