import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { sourceFiles } from '../source-files.ts'

/** The walk of a SPEKE request in docs/architecture.md, held against the imports. */

const PAGE = readFileSync(new URL('../../docs/architecture.md', import.meta.url), 'utf8')
const SECTION = PAGE.slice(PAGE.indexOf('## One SPEKE request'), PAGE.indexOf('An error has one code'))
const WALK = [...new Set([...SECTION.matchAll(/`([a-z-]+(?:\/[a-z-]+)+\.ts)`/g)].map(([, path = '']) => path))]
const IMPORTS = new Map(
  sourceFiles().map(({ path, imports }) => [path, imports.filter(({ isFile }) => isFile).map(({ target }) => target)]),
)
/** The files that put a server together at its start: they pass values across rooms that do not import each other. */
const WIRING = [...IMPORTS.keys()].filter((path) => path.startsWith('server/') || path === 'http/routes/routes.ts')

test('names at most 25 files, each of which exists', () => {
  for (const path of WALK) assert.ok(IMPORTS.has(path), path)
  assert.ok(WALK.length <= 25, `${WALK.length}: ${WALK.join(' ')}`)
  assert.ok(WALK.length >= 20)
})

for (const [at, path] of WALK.entries()) {
  if (at === 0) continue
  test(`${path} is reached from a file before it`, () => {
    const before = WALK.slice(0, at)
    const isImported = [...before, ...WIRING].some((from) => IMPORTS.get(from)?.includes(path))
    assert.ok(isImported, `no file of the walk before it, and none of server/, imports ${path}`)
  })
}
