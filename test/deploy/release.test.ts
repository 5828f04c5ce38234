import assert from 'node:assert/strict'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { disagreements } from '../../scripts/release/agreement.ts'
import { buildImageTree } from '../../scripts/release/image.ts'
import { PACKAGE } from '../cli/run.ts'
import { textOf } from './files.ts'
import { versionOf } from './package.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-agreement-'))
after(() => rmSync(scratch, { recursive: true }))
let copies = 0

/** What disagrees in a copy of the repository in which `text` of `file` was replaced. */
function afterChanging(file: string, text: string | RegExp, replacement: string, tag?: string): readonly string[] {
  const root = join(scratch, String(copies++))
  for (const name of ['package.json', 'package-lock.json', 'CHANGELOG.md', 'deploy/compose', 'deploy/kubernetes']) {
    cpSync(join(PACKAGE, name), join(root, name), { recursive: true })
  }
  const changed = readFileSync(join(root, file), 'utf8').replace(text, replacement)
  assert.notEqual(changed, readFileSync(join(PACKAGE, file), 'utf8'))
  writeFileSync(join(root, file), changed)
  return disagreements(root, tag)
}

describe('the version of a release', () => {
  test('is the same everywhere', () => assert.deepEqual(disagreements(PACKAGE, undefined), []))

  const CHANGES: readonly (readonly [file: string, text: string, replacement: string, problem: RegExp])[] = [
    ['package-lock.json', `"version": "${versionOf()}"`, '"version": "9.9.9"', /^package-lock\.json: /],
    ['CHANGELOG.md', '[Unreleased]', '[Later]', /^CHANGELOG\.md: /],
    ['deploy/compose/compose.yaml', `keyspring:${versionOf()}`, 'keyspring:9.9.9', /^deploy\/compose\/compose\.yaml: /],
    [
      'deploy/kubernetes/migrate.yaml',
      `keyspring:${versionOf()}`,
      'keyspring:9.9.9',
      /^deploy\/kubernetes\/migrate\.yaml: /,
    ],
  ]
  for (const [file, text, replacement, problem] of CHANGES) {
    test(`that differs in ${file} is found`, () => {
      const [found = '', ...more] = afterChanging(file, text, replacement)
      assert.match(found, problem)
      assert.deepEqual(more, [])
    })
  }

  test('wants a tag of its own name, and a section of the changelog', () => {
    const [tag = '', changelog = '', ...more] = disagreements(PACKAGE, 'v99.0.0')
    assert.match(tag, new RegExp(`expected v${versionOf()}`))
    assert.match(changelog, /expected a section/)
    assert.deepEqual(more, [])
    const released = `## [Unreleased]\n\n## [${versionOf()}] - 2026-11-22`
    assert.deepEqual(afterChanging('CHANGELOG.md', '## [Unreleased]', released, `v${versionOf()}`), [])
  })
})

describe('the steps of a Containerfile', () => {
  const building = (containerfile: string) => {
    const source = join(scratch, String(copies++))
    mkdirSync(join(source, 'deploy/container'), { recursive: true })
    writeFileSync(join(source, 'deploy/container/Containerfile'), containerfile)
    writeFileSync(join(source, '.containerignore'), '**\n!a\n')
    writeFileSync(join(source, 'a'), 'A')
    writeFileSync(join(source, 'root.key'), 'secret')
    return () => buildImageTree(source, join(source, 'into'))
  }

  test('are run as plain commands, one stage after the other', () => {
    const { root } = building(
      'FROM x AS build\nWORKDIR /app\nCOPY a ./\nRUN cat a a > b\nFROM y\nCOPY --from=build /app/b /data/c\n',
    )()
    assert.equal(readFileSync(join(root, 'data/c'), 'utf8'), 'AA')
  })

  test('that copy what is ignored, or is not there, or fail, end it', () => {
    assert.throws(building('FROM x\nCOPY root.key ./\n'), /it is ignored/)
    assert.throws(building('FROM x\nCOPY --from=build /a ./\n'), /no such stage/)
    assert.throws(building('FROM x\nRUN echo no >&2; exit 3\n'), /no/)
  })
})

test('a change is checked as a release would be', () => assert.match(textOf('.ci/run'), /^npm run release:check$/m))
