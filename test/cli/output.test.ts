import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { PACKAGE, run, temporaryDirectory } from './run.ts'

const directory = temporaryDirectory()
const KEYSPRING = `'${process.execPath}' '${join(PACKAGE, 'bin/keyspring.js')}'`

/** Runs a line of bash in which `keyspring` is the command: what it prints, and the exit code of each part of a pipe. */
function shell(line: string): { readonly stdout: string; readonly stderr: string; readonly codes: string } {
  const script = `keyspring() { ${KEYSPRING} "$@"; }; ${line}; echo "\${PIPESTATUS[*]}" >&3`
  const { stdout, stderr, output } = spawnSync('bash', ['-c', script], {
    cwd: PACKAGE,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  return { stdout, stderr, codes: String(output[3]).trim() }
}

const hasFullDevice = existsSync('/dev/full')

describe('a reader of standard output that ends early', () => {
  for (const line of ['verify --list', 'man', 'completions zsh', '--help'])
    test(`keyspring ${line} | head -1 ends without an error`, () => {
      const { stdout, stderr, codes } = shell(`keyspring ${line} | head -1`)
      assert.equal(stdout.split('\n').length, 2)
      assert.doesNotMatch(stderr, /EPIPE|Error|\n {4}at /)
      assert.equal(codes, '0 0')
    })

  test('the exit code is that of the findings', () => {
    const { stderr, codes } = shell(`keyspring lint docs/examples/hls-aes-128-v1.xml --kind answer --json | true`)
    assert.doesNotMatch(stderr, /EPIPE|\n {4}at /)
    assert.equal(codes, '6 0')
  })
})

describe('output that cannot be written', { skip: !hasFullDevice }, () => {
  test('a full disk is an error in one line', () => {
    const { stderr, codes } = shell('keyspring verify --list --only v2.0-live > /dev/full')
    assert.match(stderr, /keyspring: standard output: no space left on the device\n$/)
    assert.doesNotMatch(stderr, /\n {4}at /)
    assert.equal(codes, '1')
  })

  test('a full standard error changes nothing', () => {
    const { stdout, codes } = shell('keyspring verify --list --only v2.0-live 2> /dev/full')
    assert.match(stdout, /^v2\.0-live/)
    assert.equal(codes, '0')
  })
})

describe('a client whose secret cannot be printed is not stored', () => {
  for (const [what, redirection] of [
    ['a full disk', '> /dev/full'],
    ['a reader that has ended', '| true'],
    ['a closed standard output', '>&-'],
    ['/dev/null', '> /dev/null'],
  ] as const)
    test(what, { skip: redirection === '> /dev/full' && !hasFullDevice }, async () => {
      const data = join(directory, what.replaceAll(/\W/g, '-'))
      const first = await run(['client', 'add', '--name', 'first', '--data', data])
      assert.equal(first.code, 0, first.stderr)
      const change = `--data '${data}' ${redirection === '| true' ? '| (exec <&-; sleep 0)' : redirection}`
      for (const verb of ['add --name second', 'rotate --name first --method token']) {
        const { stderr, codes } = shell(`keyspring client ${verb} ${change}`)
        assert.match(stderr, /the secret of client \w+ could not be printed, so nothing was stored\n/, verb)
        assert.doesNotMatch(stderr, /\n {4}at /)
        assert.match(codes, /^[12]/)
      }
      const { clients } = JSON.parse((await run(['client', 'list', '--data', data, '--json'])).stdout)
      assert.deepEqual(
        clients.map(({ name, credentials }: { name: string; credentials: unknown[] }) => [name, credentials.length]),
        [['first', 1]],
      )
    })

  test('a client without a secret may be added without output', async () => {
    const data = join(directory, 'no-secret')
    const { codes } = shell(
      `keyspring client add --name a --method gateway --id 123456789012 --data '${data}' > /dev/null`,
    )
    assert.equal(codes, '0')
  })
})

test('standard input is read to its end from a pipe that its writer made non-blocking and fills slowly', () => {
  const halves = `process.stdout.write('5b0e3a7c91d44c52'); setTimeout(() => process.stdout.write('8f6a0c1d2e3f4a51'), 800)`
  const { stdout, stderr, codes } = shell(`'${process.execPath}' -e "${halves}" | keyspring inspect -`)
  assert.match(stdout, /KID: 5b0e3a7c-91d4-4c52-8f6a-0c1d2e3f4a51/)
  assert.equal(stderr, '')
  assert.equal(codes, '0 0')
})
