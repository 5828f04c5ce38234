import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createLog } from '../../../src/server/observe/log.ts'
import { LogOutput, type LogStream } from '../../../src/server/observe/log-output.ts'
import { LogSamples } from '../../../src/server/observe/log-samples.ts'
import { PACKAGE } from '../../cli/run.ts'
import { until } from '../../until.ts'

const directory = mkdtempSync(join(tmpdir(), 'keyspring-log-'))
after(() => rmSync(directory, { recursive: true }))

/** An output, and the number of its lost lines. */
function outputTo(to: number | LogStream, maxBytes?: number) {
  const losses: number[] = []
  const options = { to, sync: false, onLoss: (lines: number) => void losses.push(lines) }
  const output = new LogOutput({ ...options, ...(maxBytes !== undefined && { maxBytes }) })
  return { output, lost: () => losses.reduce((sum, lines) => sum + lines, 0) }
}

test('writes lines to a file in order, and the rest on flush', () => {
  const file = join(directory, 'lines')
  const fd = openSync(file, 'w')
  const { output, lost } = outputTo(fd)
  for (let i = 0; i < 3; i++) output.write(`${i}\n`)
  output.flush()
  return until('all lines are written', async () => readFileSync(file, 'utf8').length === 6).then(() => {
    assert.deepEqual(readFileSync(file, 'utf8').split('\n').sort(), ['', '0', '1', '2'])
    assert.equal(lost(), 0)
    closeSync(fd)
  })
})

test('loses and counts lines that a full disk does not take', { skip: !existsSync('/dev/full') }, async () => {
  const fd = openSync('/dev/full', 'w')
  const { output, lost } = outputTo(fd)
  for (let i = 0; i < 10; i++) output.write('line\n')
  await until('all lines are lost', async () => lost() === 10)
  output.write('line\n')
  output.flush()
  await until('the last line is lost', async () => lost() === 11)
  closeSync(fd)
})

/** A stream whose reader takes nothing. */
class StalledStream implements LogStream {
  readonly writable: boolean = true
  writableLength = 0
  text = ''
  on(): void {}
  write(text: string): void {
    this.text += text
    this.writableLength += text.length
  }
}

test('holds a bounded number of bytes for a stalled reader, and reports the loss once it reads again', () => {
  const stream = new StalledStream()
  const { output, lost } = outputTo(stream, 100)
  for (let i = 0; i < 100; i++) output.write('0123456789\n')
  assert.equal(stream.writableLength, 99)
  assert.equal(lost(), 91)
  stream.writableLength = 0
  output.write('again\n')
  assert.match(stream.text, /"lost":91,"msg":"log lines were lost"\}\nagain\n$/)
})

test('loses lines of a closed stream', () => {
  const stream = Object.assign(new StalledStream(), { writable: false })
  const { output, lost } = outputTo(stream)
  output.write('line\n')
  assert.deepEqual([stream.text, lost()], ['', 1])
})

test('escapes characters that a terminal or a viewer obeys', async () => {
  const stream = new StalledStream()
  const log = await createLog('info', outputTo(stream).output)
  log.info({ contentId: 'a\u009b31m\u202eb\u007f\u2028\u0007c' }, 'answered')
  assert.match(stream.text, /a\\u009b31m\\u202eb\\u007f\\u2028\\u0007c/)
  assert.equal(JSON.parse(stream.text).contentId, 'a\u009b31m\u202eb\u007f\u2028\u0007c')
})

test('samples lines of one peer and code, and says how many it left out', () => {
  let ms = 0
  const samples = new LogSamples(() => ms)
  const taken = Array.from({ length: 500 }, () => samples.take('192.0.2.1 ERR_ROUTE_NOT_FOUND'))
  assert.equal(taken.filter((suppressed) => suppressed !== undefined).length, 20)
  assert.equal(samples.take('192.0.2.2 ERR_ROUTE_NOT_FOUND'), 0)
  ms = 1_000
  assert.equal(samples.take('192.0.2.1 ERR_ROUTE_NOT_FOUND'), 480)
  const others = Array.from({ length: 5_000 }, (_, i) => samples.take(`peer ${i}`))
  assert.ok(others.filter((suppressed) => suppressed !== undefined).length <= 1_000)
})

/** A free port of this machine. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

describe('a server', { skip: !existsSync('/dev/full') }, () => {
  const cases: readonly (readonly [what: string, stderr: () => number | 'pipe', closes: boolean])[] = [
    ['whose log disk is full', () => openSync('/dev/full', 'w'), false],
    ['whose log reader stalls', () => 'pipe', false],
    ['whose standard output and error are closed', () => 'pipe', true],
  ]
  for (const [what, stderr, closes] of cases) {
    test(`${what} starts, answers and ends`, async () => {
      const port = await freePort()
      const data = join(directory, what.replaceAll(' ', '-'))
      const args = ['bin/keyspring.js', 'serve', '--port', String(port), '--data', data, '--log-requests']
      const child: ChildProcess = spawn(process.execPath, args, { cwd: PACKAGE, stdio: ['ignore', 'pipe', stderr()] })
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
      const status = (path: string): Promise<number> =>
        fetch(`http://127.0.0.1:${port}${path}`).then(
          (response) => response.status,
          () => 0,
        )
      try {
        if (closes) {
          child.stdout?.destroy()
          child.stderr?.destroy()
        }
        await until('it answers', async () => (await status('/livez')) === 200)
        // More than a pipe holds: each path is a line of its own peer and code, and each answer one of --log-requests.
        for (let i = 0; i < 1_500; i++) await status(i % 2 === 0 ? '/livez' : `/nothing-${i}`)
        assert.equal(await status('/livez'), 200)
        child.kill('SIGTERM')
        assert.equal(await ended, 0)
      } finally {
        child.kill('SIGKILL')
      }
    })
  }
})
