import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { PACKAGE, run, temporaryDirectory } from '../../run.ts'

const directory = temporaryDirectory()
const hasFish = spawnSync('fish', ['--version']).status === 0

/** The commands and options that helps list: `keyspring request` has `--drm`. */
async function helps(path: readonly string[] = []): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await run([...path, '--help'])
  const [, listed = ''] = /\nCommands:\n([\s\S]*?)(?:\n\n|$)/.exec(stdout) ?? []
  const names = [...listed.matchAll(/^ {2}([a-z][\w-]*)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== 'help')
  const inner = await Promise.all(names.map((name) => helps([...path, name])))
  return new Map([[path.join(' '), stdout], ...inner.flatMap((one) => [...one])])
}

const help = await helps()

const longOptions = (text: string): readonly string[] =>
  [...text.matchAll(/^ +(?:-\w, )?(--[\w-]+)/gm)].map(([, option = '']) => option)

test('every command has examples in its help', () => {
  assert.ok(help.size > 20)
  for (const [path, text] of help) {
    const isNoun = text.includes('\nCommands:\n') && path !== '' && !/^Usage: .*<\w+>/.test(text)
    if (!isNoun) assert.match(text, /\nExamples:\n {2}\S/, `keyspring ${path} --help has no examples`)
  }
})

test('every example uses existing commands and options', () => {
  for (const [path, text] of help) {
    const [, examples = ''] = /\nExamples:\n([\s\S]*?)(?:\n\n|$)/.exec(text) ?? []
    for (const [, line = ''] of examples.matchAll(/(?:^|\| )\s*keyspring (.*)$/gm)) {
      const words = line
        .replace(/ {2,}.*$/, '')
        .replace(/ (?:--|&&|>|\|)(?: .*)?$/, '')
        .split(' ')
      const name =
        [2, 1].map((n) => words.slice(0, n).join(' ')).find((one) => help.has(one)) ?? assert.fail(`${path}: ${line}`)
      const known = longOptions(help.get(name) ?? '')
      for (const option of words.filter((word) => /^--\w/.test(word)))
        assert.ok(known.includes(option), `${path}: ${line}: ${option}`)
    }
  }
})

describe('completions for bash', () => {
  let script = ''
  before(async () => {
    script = (await run(['completions', 'bash'])).stdout
  })

  /** What bash offers for the last word of a line. */
  const offered = (line: string): readonly string[] => {
    const words = line.split(' ')
    const array = words.map((word) => `'${word}'`).join(' ')
    const program = `${script}\nCOMP_WORDS=(${array}); COMP_CWORD=${words.length - 1}; _keyspring; printf '%s\\n' "\${COMPREPLY[@]}"`
    return execFileSync('bash', ['--norc', '-c', program], { encoding: 'utf8', cwd: PACKAGE })
      .split('\n')
      .filter((word) => word !== '')
  }

  test('offer commands, sub-commands and options', () => {
    assert.ok(offered('keyspring ins').includes('inspect'))
    assert.deepEqual(offered('keyspring config ').slice(0, 2), ['check', 'init'])
    assert.ok(offered('keyspring inspect --sh').includes('--show-keys'))
    assert.ok(offered('keyspring inspect diff --j').includes('--json'))
  })

  test('offer the values of an option: its words, or files', () => {
    assert.ok(offered('keyspring config init --encryptor mediap').includes('mediapackage-v2'))
    assert.ok(offered('keyspring serve --config pack').includes('package.json'))
    assert.deepEqual(offered('keyspring serve --port '), [])
  })

  test('know every option of every command', () => {
    for (const [path, text] of help) {
      const names = offered(`keyspring ${path === '' ? '' : `${path} `}--`)
      for (const option of longOptions(text.split('\nExamples:')[0] ?? ''))
        assert.ok(names.includes(option), `${path} ${option}`)
    }
  })
})

describe('completions for zsh and fish', () => {
  for (const shell of ['zsh', 'fish']) {
    test(`know every command and option (${shell})`, async () => {
      const { code, stdout } = await run(['completions', shell])
      assert.equal(code, 0)
      for (const [path, text] of help) {
        assert.ok(
          path === '' ||
            stdout.includes(`'${path.replaceAll(' ', '/')}'`) ||
            stdout.includes(`\\'${path.replaceAll(' ', '/')}\\'`),
          path,
        )
        for (const option of longOptions(text.split('\nExamples:')[0] ?? '')) {
          assert.ok(stdout.includes(shell === 'fish' ? `-l ${option.slice(2)}` : `'${option}:`), `${path} ${option}`)
        }
      }
    })

    test(`close every quote (${shell})`, async () => {
      const { stdout } = await run(['completions', shell])
      // Both shells end a quoted word with the next ' that no backslash stands before, outside of quotes for zsh.
      const unescaped = shell === 'fish' ? stdout.replaceAll(/\\[\\']/g, '') : stdout.replaceAll("'\\''", '')
      for (const line of unescaped.split('\n')) assert.equal((line.match(/'/g) ?? []).length % 2, 0, line)
    })
  }
})

describe('completions for fish', () => {
  test('join words that start with a dash', async () => {
    // Without "--", fish takes an option on the command line for an option of "string join", and completes nothing.
    assert.match((await run(['completions', 'fish'])).stdout, /\(string join -- \/ \$at \$word\)/)
  })

  test('offer commands, options and their values in fish', { skip: !hasFish }, async () => {
    const file = join(directory, 'keyspring.fish')
    writeFileSync(file, (await run(['completions', 'fish'])).stdout)
    const offered = (line: string): readonly string[] =>
      execFileSync('fish', ['--no-config', '-c', `source ${file}; complete -C '${line}'`], { encoding: 'utf8' })
        .split('\n')
        .map((one) => one.split('\t')[0] ?? '')
    assert.ok(offered('keyspring ins').includes('inspect'))
    assert.ok(offered('keyspring client add --method ').includes('digest'))
    assert.ok(offered('keyspring serve --port 80 --da').includes('--data'))
    assert.ok(offered('keyspring inspect diff --j').includes('--json'))
  })
})

describe('the manual page', () => {
  test('man/keyspring.1 is current: keyspring man > man/keyspring.1', async () => {
    const { stdout } = await run(['man'])
    assert.equal(readFileSync(join(PACKAGE, 'man/keyspring.1'), 'utf8'), stdout)
  })

  test('has a section for each command, with its options', async () => {
    const page = readFileSync(join(PACKAGE, 'man/keyspring.1'), 'utf8').replaceAll('\\-', '-')
    for (const [path, text] of help) {
      const isNoun = text.includes('\nCommands:\n') && !/^Usage: .*<\w+>/.test(text)
      if (isNoun) continue
      const [, section = ''] = page.split(`.SS "${path}"\n`)
      assert.notEqual(section, '', path)
      for (const option of longOptions(text.split('\nExamples:')[0] ?? ''))
        assert.ok((section.split('\n.SS')[0] ?? '').includes(option), `${path} ${option}`)
    }
  })

  test('has no line that a formatter reads as a request', () => {
    const known = new Set(['TH', 'SH', 'SS', 'TP', 'PP', 'B', 'nf', 'fi', '\\"'])
    const page = readFileSync(join(PACKAGE, 'man/keyspring.1'), 'utf8')
    for (const [, request = ''] of page.matchAll(/^\.(\S+)/gm)) assert.ok(known.has(request), request)
  })

  test('is in the package', () => {
    const { man, files } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'))
    assert.deepEqual(man, ['man/keyspring.1'])
    assert.ok(files.includes('man') && existsSync(join(PACKAGE, 'man/keyspring.1')))
  })
})
