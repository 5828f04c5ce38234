import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { ENCRYPTOR_NAMES } from '../../src/cli/commands/config/first-configuration.ts'
import { PACKAGE, run } from '../cli/run.ts'
import { blocksOf, PAGES, pageOf, proseOf } from './pages.ts'

/** The commands of shell blocks, their continued lines joined. */
const commands = PAGES.flatMap((page) =>
  blocksOf(page)
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => ({ file: page.file, line: line.trim() })),
)

const keyspring = commands.flatMap(({ file, line }) => {
  const words = /^(?:npx )?keyspring (.*)$/.exec(line)?.[1]?.split(/\s+/)
  return words === undefined ? [] : [{ file, line, words }]
})

const help = new Map<string, Promise<string>>()

/** The help of a command. Fails for an unknown command. */
function helpOf(names: readonly string[]): Promise<string> {
  const key = names.join(' ')
  const known =
    help.get(key) ??
    run([...names, '--help']).then(({ code, stdout, stderr }) => {
      assert.equal(code, 0, stderr)
      assert.ok(stdout.startsWith(`Usage: keyspring ${key} `), `there is no command ${key}`)
      return stdout
    })
  help.set(key, known)
  return known
}

describe('commands in the documentation', () => {
  for (const { file, line, words } of keyspring) {
    test(`${file}: ${line}`, async () => {
      // After -- comes a command of another program.
      const own = words.includes('--') ? words.slice(0, words.indexOf('--')) : words
      const end = own.findIndex((word) => !/^[a-z][a-z-]*$/.test(word))
      const names = end === -1 ? own : own.slice(0, end)
      const text = await helpOf(names)
      for (const option of own.filter((word) => word.startsWith('--'))) {
        assert.match(text, new RegExp(`^ +(?:-\\w, )?${option}(?: |$)`, 'm'), `${names.join(' ')} has no ${option}`)
      }
      const encryptor = words[words.indexOf('--encryptor') + 1] ?? ''
      if (words.includes('--encryptor'))
        assert.ok((ENCRYPTOR_NAMES as readonly string[]).includes(encryptor), encryptor)
    })
  }

  test('are found in the pages', () => assert.ok(keyspring.length > 10))
})

/** Commands that sentences name: `keyspring client add|list` are two. */
const named = PAGES.flatMap((page) =>
  [...proseOf(page).matchAll(/`keyspring ([a-z][^`]*)`/g)].map(([, text = '']) => ({
    file: page.file,
    words: text.split(/\s+/),
  })),
)

describe('commands in sentences', () => {
  for (const { file, words } of named) {
    const end = words.findIndex((word) => !/^[a-z][a-z|-]*$/.test(word))
    const [noun = '', verbs = ''] = end === -1 ? words : words.slice(0, end)
    for (const verb of verbs.split('|')) {
      test(`${file}: keyspring ${noun} ${verb}`, async () => {
        const text = await helpOf([noun, verb].filter((word) => word !== ''))
        for (const option of words.filter((word) => /^--\w/.test(word)))
          assert.match(text, new RegExp(`^ +(?:-\\w, )?${option}(?: |$)`, 'm'), option)
      })
    }
  }
})

test('the README names every encryptor that config init knows', () => {
  const named = [...pageOf('README.md').text.matchAll(/\| `--encryptor ([\w-]+)` \|/g)].map(([, name]) => name)
  assert.deepEqual(named.sort(), [...ENCRYPTOR_NAMES].sort())
})

test('files that a command posts exist', () => {
  for (const { file, line } of commands) {
    for (const [, path = ''] of line.matchAll(/(?:@|cpix_request_file )(docs\/\S+)/g)) {
      assert.ok(existsSync(join(PACKAGE, path)), `${file}: ${path}`)
    }
  }
})

test('npm scripts that a page runs exist', () => {
  const { scripts } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'))
  for (const { file, text } of PAGES)
    for (const [, name = ''] of text.matchAll(/\bnpm run ([a-z][a-z\d:]*)/g))
      assert.ok(name in scripts, `${file}: ${name}`)
})

test('files of the repository that a page names exist', () => {
  for (const { file, text } of PAGES)
    for (const [, path = ''] of text.matchAll(/`((?:bin|deploy|docs|man|scripts|src|test)\/[\w./-]+)`/g))
      assert.ok(existsSync(join(PACKAGE, path)), `${file}: ${path}`)
})
