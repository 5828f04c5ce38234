import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../src/demo/main.ts', import.meta.url))
const demo = (...args: readonly string[]) => spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8' })

describe('the command line of the demo', () => {
  for (const option of ['--help', '-h']) {
    test(`${option} prints the options and starts nothing`, () => {
      const { status, stdout, stderr } = demo(option)
      assert.equal(status, 0)
      assert.match(stdout, /--port N .*\(default: 8090\)\n {2}--keyspring-port N /)
      assert.equal(stderr, '')
    })
  }

  for (const [wrong, message] of [
    [['--prot', '1'], /^demo: Unknown option '--prot'\n\nUsage: npm run demo/],
    [['--port', 'http'], /^demo: --port: expected a port from 0 to 65535, got "http"\n/],
    [['--keyspring-port', '70000'], /^demo: --keyspring-port: expected a port from 0 to 65535, got "70000"\n/],
    [['extra'], /^demo: Unexpected argument 'extra'/],
  ] as const) {
    test(`rejects ${wrong.join(' ')} with the usage and status 2`, () => {
      const { status, stdout, stderr } = demo(...wrong)
      assert.equal(status, 2)
      assert.match(stderr, message)
      assert.equal(stdout, '')
    })
  }
})
