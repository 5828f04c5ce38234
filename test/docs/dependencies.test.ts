import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { PACKAGE } from '../cli/run.ts'
import { pageOf, rowsOf } from './pages.ts'

const page = pageOf('docs/dependencies.md')
const [used, forDevelopment] = [page.text.split('## Packages not used')[0], page.text.split('## For development')[1]]

/** The packages that the first cells of tables name. */
const namesIn = (text = ''): readonly string[] =>
  rowsOf(text).flatMap(([cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name))

const packageAt = (file: string): Readonly<Record<'dependencies' | 'devDependencies', Record<string, string>>> => ({
  dependencies: {},
  devDependencies: {},
  ...JSON.parse(readFileSync(join(PACKAGE, file), 'utf8')),
})
const [own, aws] = [packageAt('package.json'), packageAt('deploy/aws/package.json')]

describe('docs/dependencies.md', () => {
  test('says why every package is used, and of no other', () => {
    assert.deepEqual([...namesIn(used)].sort(), Object.keys(own.dependencies).sort())
    const others = { ...own.devDependencies, ...aws.dependencies, ...aws.devDependencies }
    assert.deepEqual([...namesIn(forDevelopment)].sort(), Object.keys(others).sort())
  })

  test('is right that every version is pinned', () => {
    const ranges = Object.entries({ ...own.dependencies, ...own.devDependencies, ...aws.devDependencies })
    // Node.js itself follows its own line.
    assert.deepEqual(
      ranges.filter(([name, range]) => name !== 'node' && !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(range)),
      [],
    )
  })
})
