import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PAGES, pageOf, proseOf, rowsOf } from './pages.ts'

const page = pageOf('docs/glossary.md')
const terms = rowsOf(page.text).flatMap(([cell = '']) => /^\*\*(.+)\*\*$/.exec(cell)?.[1] ?? [])

/** The terms that texts, settings and messages use for things and roles. */
const REQUIRED = [
  ...['caller', 'client', 'tenant', 'encryptor', 'player', 'operator', 'node', 'recipient', 'key provider'],
  ...[
    'content',
    'contentId',
    'content key',
    'content secret',
    'kid',
    'class',
    'key period',
    'override',
    'kid override',
  ],
  ...['DRM system', 'scheme', 'signalling', 'licence service', 'upstream', 'profile', 'usage rule'],
  ...['data key', 'data key ring', 'root key', 'root secret', 'store', 'ledger', 'audit log', 'event', 'request ID'],
  ...['retention period', 'retention class', 'grace period', 'legal hold', 'tombstone', 'sweep', 'scope', 'credential'],
]

test('docs/glossary.md defines each term once', () => {
  assert.deepEqual(terms, [...new Set(terms)])
  for (const row of rowsOf(page.text).filter(([cell = '']) => cell.startsWith('**')))
    assert.ok((row[1] ?? '').length > 30, `${row[0]} has no definition`)
})

test('docs/glossary.md defines every term of the field and of the product', () => {
  assert.deepEqual(
    REQUIRED.filter((term) => !terms.includes(term)),
    [],
  )
})

test('docs/glossary.md sorts the terms of each section', () => {
  for (const section of page.text.split(/^## /m).slice(1)) {
    const names = rowsOf(section).map(([cell = '']) => cell.replaceAll('*', '').toLowerCase())
    assert.deepEqual(
      names,
      names.toSorted((a, b) => a.localeCompare(b)),
    )
  }
})

/** Terms of parts that have a page of their own later. */
const AHEAD = ['upstream']

test('each term of docs/glossary.md is used on another page', () => {
  const others = PAGES.filter(({ file }) => file !== page.file)
    .map(proseOf)
    .join('\n')
    .toLowerCase()
  assert.deepEqual(
    terms.filter((term) => !AHEAD.includes(term) && !others.includes(term.toLowerCase())),
    [],
  )
})
