import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { openAuditFiles } from '../../../src/adapters/audit-files/files.ts'
import { ChainedAuditLog } from '../../../src/operations/audit/log.ts'
import { entryOf, headsOf, recordsOf, SERVER, verify } from './fixtures.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-audit-crash-'))
after(() => rmSync(scratch, { recursive: true }))
const newDirectory = (): string => mkdtempSync(join(scratch, 'log-'))

const PROCESS = new URL('./process.ts', import.meta.url).pathname
const run = promisify(execFile)

/** All records of a directory, over midnight if need be. */
function recordsIn(directory: string): readonly Record<string, unknown>[] {
  const home = join(directory, 'n1')
  const files = readdirSync(home).filter((name) => name.endsWith('.jsonl'))
  return files.sort().flatMap((name) => recordsOf(join(home, name)))
}

/** Opens the log in this process, writes a record and closes it. */
async function writeOne(directory: string, number: number, heads = headsOf()) {
  const sink = openAuditFiles({ directory, node: 'n1' })
  const log = new ChainedAuditLog({ sink, node: 'n1', heads, startedBy: SERVER, now: () => Date.now() })
  await log.write(entryOf(number))
  await log.close()
  return heads
}

describe('a process that is killed while it writes', () => {
  for (const round of [1, 2, 3]) {
    test(`loses no acknowledged record, and the chain goes on (round ${round})`, async () => {
      const directory = newDirectory()
      const child = spawn(process.execPath, [PROCESS, 'write', directory], { stdio: ['ignore', 'pipe', 'inherit'] })
      const exited = once(child, 'exit')
      const acknowledged: string[] = []
      for await (const line of createInterface({ input: child.stdout })) {
        acknowledged.push(line)
        if (acknowledged.length === 50 * round) child.kill('SIGKILL')
      }
      assert.deepEqual(await exited, [null, 'SIGKILL'])
      const heads = await writeOne(directory, 1_000_000)
      const written = new Set(recordsIn(directory).map(({ requestId }) => requestId))
      for (const number of acknowledged.slice(0, -1)) assert.ok(written.has(`r${number}`), number)
      assert.ok(written.has('r1000000'))
      assert.equal((await verify(directory, heads)).problems, 0)
    })
  }

  test('leaves a line unfinished, and the next start says so', async () => {
    const directory = newDirectory()
    const heads = await writeOne(directory, 1)
    const [day = ''] = readdirSync(join(directory, 'n1')).filter((name) => name.endsWith('.jsonl'))
    appendFileSync(join(directory, 'n1', day), '{"action":"key.issue","act')
    await writeOne(directory, 2, heads)
    const report = await verify(directory, heads)
    assert.deepEqual([report.problems, report.findings.map(({ fault }) => fault)], [0, ['unfinished']])
  })
})

test('a file that may grow no further rejects records, and goes on when it may', async () => {
  const directory = newDirectory()
  // A limit of the system makes the write fail in the midst of a line, as a full disk does.
  const limited = `ulimit -f 16; exec "${process.execPath}" "${PROCESS}" fill "${directory}"`
  const { stdout } = await run('/bin/sh', ['-c', limited])
  const { number, code, message } = JSON.parse(stdout) as { number: number; code: string; message: string }
  assert.equal(code, 'ERR_AUDIT_UNAVAILABLE')
  assert.match(message, /cannot be written: EFBIG/)
  const heads = await writeOne(directory, 1_000_000)
  const report = await verify(directory, heads)
  assert.deepEqual([report.problems, report.findings.map(({ fault }) => fault)], [0, ['unfinished']])
  // The start, what was acknowledged, the second start, one record; the unfinished line is none.
  assert.equal(report.records, number + 3)
})

describe('processes with one node name', () => {
  test('take turns where they wait for each other', async () => {
    const directory = newDirectory()
    await Promise.all([1, 2, 3, 4].map(() => run(process.execPath, [PROCESS, 'once', directory, '20000'])))
    assert.equal(recordsIn(directory).length, 8)
    assert.equal((await verify(directory, headsOf())).problems, 0)
  })

  test('stay out although another part of the process that has it asked for it, too', async () => {
    const directory = newDirectory()
    const [own, other] = [0, 0].map((lockWaitMs) => openAuditFiles({ directory, node: 'n1', lockWaitMs }))
    await own?.open()
    await assert.rejects(other?.open() ?? Promise.resolve(), { code: 'ERR_AUDIT_UNAVAILABLE' })
    await assert.rejects(run(process.execPath, [PROCESS, 'once', directory]), {
      stderr: /another process writes as the node n1/,
    })
    await own?.close()
  })

  test('fail clearly where they do not wait, and the killed one frees the log', async () => {
    const directory = newDirectory()
    const holder = spawn(process.execPath, [PROCESS, 'hold', directory], { stdio: ['pipe', 'pipe', 'inherit'] })
    const exited = once(holder, 'exit')
    await once(holder.stdout, 'data')
    await assert.rejects(run(process.execPath, [PROCESS, 'once', directory]), {
      stderr: /another process writes as the node n1; end that one, or give this one a name of its own \(audit.node\)/,
    })
    holder.kill('SIGKILL')
    await exited
    await run(process.execPath, [PROCESS, 'once', directory])
    assert.equal((await verify(directory, headsOf())).problems, 0)
  })
})
