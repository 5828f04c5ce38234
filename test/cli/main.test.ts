import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { PACKAGE, run, runProcess } from './run.ts'

test('--help lists the commands, examples and exit codes on standard output', async () => {
  const { code, stdout, stderr } = await run(['--help'])
  assert.equal(code, 0)
  assert.equal(stderr, '')
  for (const expected of ['serve', 'config', 'override', 'Examples:', 'Exit codes: 0 done']) {
    assert.ok(stdout.includes(expected), expected)
  }
})

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')) as { version: string }
  assert.deepEqual(await run(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

for (const args of [
  ['nonesuch'],
  ['serve', '--nonesuch'],
  ['serve', '--port'],
  ['config', 'init'],
  ['config', 'init', '--encryptor', 'nonesuch'],
  ['override', 'add', '--kid', 'x'],
]) {
  test(`wrong usage ends with 2 and a message on standard error: ${args.join(' ')}`, async () => {
    const { code, stdout, stderr } = await run(args)
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /^keyspring: [a-z]/)
    assert.match(stderr, /\nhint: /)
  })
}

for (const [typed, meant] of [
  ['contens list', 'contents'],
  ['config chek', 'check'],
  ['client ad', 'add'],
  ['serve --hst 0.0.0.0', '--host'],
  ['contents list --limt 3', '--limit'],
] as const)
  test(`a misspelled command or option gets a suggestion: ${typed}`, async () => {
    const { code, stderr } = await run(typed.split(' '))
    assert.equal(code, 2)
    assert.ok(stderr.includes(`(Did you mean ${meant}?)`), stderr)
  })

test('help of a command is printed by "help" too', async () => {
  assert.equal((await run(['help', 'client'])).stdout, (await run(['client', '--help'])).stdout)
})

test('an older Node.js gets a message of one line', async () => {
  const pretend = "Object.defineProperty(process, 'versions', { value: { node: '22.1.0' } })"
  const { code, stdout, stderr } = await runProcess(['--version'], {
    nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`],
  })
  assert.deepEqual(
    { code, stdout, stderr },
    { code: 2, stdout: '', stderr: 'keyspring: needs Node.js 24 or newer, this is 22.1.0\n' },
  )
})
