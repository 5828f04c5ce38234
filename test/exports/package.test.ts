import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { blocksOf, pageOf } from '../docs/pages.ts'
import { packPackage, runTool } from './packed.ts'

const { tarball, consumer, installed } = packPackage()
const { exports: entries } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
/** What documents and signalling are worked on with. */
const ENTRIES = ['cpix', 'drm'] as const
/** Each entry, and the file it is. */
const FILES = { '.': 'keyspring', './lambda': 'lambda', './cpix': 'cpix', './drm': 'drm' } as const

describe('the packed package', () => {
  test('contains the files of its exports', () => {
    for (const entry of Object.keys(FILES)) {
      for (const file of Object.values<string>(entries[entry])) assert.ok(existsSync(join(installed, file)), file)
    }
  })

  test('contains command, pages and manual, but no source or test', () => {
    assert.ok(existsSync(join(installed, 'bin/keyspring.js')))
    assert.ok(existsSync(join(installed, 'docs/library.md')))
    for (const name of ['src', 'test', 'scripts']) assert.ok(!existsSync(join(installed, name)), name)
  })

  test('is built when it is packed: npm pack leaves nothing of an earlier build', () => {
    assert.ok(existsSync(join(installed, 'dist/cli/process.js')))
    assert.equal(existsSync(join(installed, 'dist/stale.js')), false)
  })

  test('passes publint', () => {
    assert.match(runTool('publint', ['run', tarball, '--strict'], consumer), /All good/)
  })

  test('has types that resolve like its modules', () => {
    // It fails for what its profile does not leave out. Its table turns with the width of the terminal; its JSON does not.
    const report = JSON.parse(runTool('attw', [tarball, '--profile', 'esm-only', '--format', 'json'], consumer))
    for (const [entry, file] of Object.entries(FILES)) {
      const { resolution } = report.analysis.entrypoints[entry].resolutions['node16-esm']
      assert.match(resolution.fileName, new RegExp(`/dist/exports/${file}\\.d\\.ts$`))
    }
  })

  test('runs its command', () => {
    const stdout = execFileSync(process.execPath, [join(installed, 'bin/keyspring.js'), 'inspect', '--help'], {
      encoding: 'utf8',
    })
    assert.match(stdout, /^Usage: keyspring inspect /)
  })
})

/** The names that an entry exports, with the declaration file each comes from. */
function exportedNames(entry: string): readonly { readonly name: string; readonly file: string }[] {
  const file = join(installed, `dist/exports/${entry}.d.ts`)
  const clauses = readFileSync(file, 'utf8').matchAll(/export (?:type )?\{([^}]*)\} from '([^']+)'/g)
  return [...clauses].flatMap(([, names = '', from = '']) => {
    const target = join(dirname(file), from.replace(/\.[jt]s$/, '.d.ts'))
    return names.split(',').map((name) => ({ name: name.replace(/^\s*type /, '').trim(), file: target }))
  })
}

/** The text of a declaration, up to the next one. */
function declarationOf({ name, file }: { readonly name: string; readonly file: string }): string {
  const text = readFileSync(file, 'utf8')
  const start = text.search(new RegExp(`export (?:declare )?(?:function|const|class|interface|type) ${name}\\b`))
  assert.notEqual(start, -1, `${file} declares no ${name}`)
  const end = text.slice(start + 1).search(/^(?:export|declare|\/\*\*)/m)
  return text.slice(start, end === -1 ? undefined : start + 1 + end)
}

describe('types', () => {
  for (const entry of ENTRIES) {
    test(`keyspring/${entry} has no Buffer in its types`, () => {
      const names = exportedNames(entry).filter(({ name }) => name !== '')
      assert.ok(names.length > 20)
      for (const one of names) assert.doesNotMatch(declarationOf(one), /\bBuffer\b/, one.name)
    })
  }
})

describe('docs/library.md', () => {
  const page = pageOf('docs/library.md')
  const programs = blocksOf(page).filter(({ language }) => language === 'ts')
  const files = programs.map(({ text }, i) => {
    writeFileSync(join(consumer, `example-${i}.mts`), text)
    return `example-${i}.mts`
  })

  test('has programs that type-check', () => {
    const compilerOptions = {
      strict: true,
      module: 'nodenext',
      target: 'es2024',
      noEmit: true,
      types: ['node'],
      exactOptionalPropertyTypes: true,
    }
    writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    runTool('tsc', ['-p', '.'], consumer)
  })

  for (const [i, { text }] of programs.entries()) {
    const [, imports = ''] = /import \{([^}]+)\} from 'keyspring/.exec(text) ?? []
    test(`has a program that prints the shown output: ${imports.trim()}`, () => {
      const printed = execFileSync(process.execPath, [`example-${i}.mts`], { cwd: consumer, encoding: 'utf8' })
      const expected = [...text.matchAll(/console\.log\(.*\) \/\/ (.*)$/gm)].map(([, line]) => line)
      assert.ok(expected.length > 0)
      assert.deepEqual(printed.trimEnd().split('\n'), expected)
    })
  }

  test('names every exported function', () => {
    const functions = [...ENTRIES, 'keyspring', 'lambda']
      .flatMap(exportedNames)
      .filter((one) => /export declare function/.test(declarationOf(one)))
    assert.ok(functions.length > 30)
    for (const { name } of functions) assert.ok(page.text.includes(`\`${name}\``), name)
  })
})
