import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { openAuditFiles } from '../../../src/adapters/audit-files/files.ts'
import { KeyProviderError } from '../../../src/core/errors.ts'
import { type AuditLogOptions, ChainedAuditLog } from '../../../src/operations/audit/log.ts'
import { NO_RECORD } from '../../../src/operations/audit/record.ts'
import type { AuditSink } from '../../../src/operations/audit/sink.ts'
import type { AuditEntry } from '../../../src/operations/ports/audit.ts'
import { DAY_MS, entryOf, headStore, headsOf, ISSUE, NOON, recordsOf, SERVER, verify } from './fixtures.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-audit-'))
after(() => rmSync(scratch, { recursive: true }))
const newDirectory = (): string => mkdtempSync(join(scratch, 'log-'))
const unavailable = { code: 'ERR_AUDIT_UNAVAILABLE' }

/** A log on real files, with a clock and timers of the test's own. */
function openLog(directory: string, options: Partial<AuditLogOptions> & { readonly lockWaitMs?: number } = {}) {
  const { lockWaitMs = 0, ...rest } = options
  const clock = { now: NOON }
  const tasks: (() => void)[] = []
  const errors: unknown[] = []
  const heads = options.heads ?? headsOf()
  const sink = openAuditFiles({ directory, node: 'n1', lockWaitMs })
  let lost = 0
  const log = new ChainedAuditLog({
    sink,
    node: 'n1',
    heads,
    startedBy: SERVER,
    now: () => clock.now,
    onError: (error) => errors.push(error),
    onLoss: (records) => {
      lost += records
    },
    schedule: (task) => {
      tasks.push(task)
      return () => tasks.splice(tasks.indexOf(task) >>> 0, 1)
    },
    ...rest,
  })
  const file = (day = '2026-11-21'): string => join(directory, 'n1', `${day}.jsonl`)
  const runTimers = (): void => {
    for (const task of tasks.splice(0)) task()
  }
  return { log, clock, heads, sink, errors, file, runTimers, lost: () => lost }
}

/** A sink on which the next writes fail, after a part of the text. */
function failing(sink: AuditSink, file: string): AuditSink & { failures: number; part: number } {
  const broken = {
    ...sink,
    failures: 1,
    part: 0.5,
    async append(day: string, text: string) {
      if (broken.failures-- <= 0) return sink.append(day, text)
      appendFileSync(file, text.slice(0, text.length * broken.part))
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    },
  }
  return broken
}

/** Lets what is under way on files come to its end. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 2))
}

describe('the audit log', () => {
  test('writes a start and each record in a line, chained by hashes that anybody can compute', async () => {
    const { log, file, heads } = openLog(newDirectory())
    await log.write(ISSUE)
    await log.close()
    const records = recordsOf(file())
    assert.deepEqual(
      records.map(({ seq, action, prev }) => [seq, action, prev]),
      [
        [1, 'audit.start', NO_RECORD],
        [2, 'key.issue', records[0]?.hash],
      ],
    )
    const { hash, mac, ...rest } = records[1] ?? {}
    // The members are of simple values in the right order already: this is their canonical form.
    const digest = createHash('sha256')
      .update(`${rest.prev}${JSON.stringify(rest)}`)
      .digest('hex')
    assert.equal(hash, `sha256:${digest}`)
    assert.match(String(mac), /^hmac-sha256:1:[0-9a-f]{64}$/)
    assert.deepEqual(
      { ...rest, prev: '' },
      { ...ISSUE, v: 2, seq: 2, at: '2026-11-21T12:00:00.000Z', node: 'n1', chain: 'n1/2026-11-21', prev: '' },
    )
    assert.deepEqual(
      (await heads.list()).map(({ chain, seq }) => [chain, seq]),
      [['n1/2026-11-21', 2]],
    )
  })

  test('keeps files and directories for their owner alone', async () => {
    const { log, file } = openLog(join(newDirectory(), 'audit'))
    await log.write(ISSUE)
    assert.equal(statSync(file()).mode & 0o777, 0o600)
    assert.equal(statSync(join(file(), '..')).mode & 0o777, 0o700)
    assert.equal(statSync(join(file(), '..', '..')).mode & 0o777, 0o700)
    await log.close()
  })

  test('makes records that wait together durable together', async () => {
    const { sink, ...parts } = openLog(newDirectory())
    let appends = 0
    const counted: AuditSink = {
      ...sink,
      append(day, text) {
        appends++
        return sink.append(day, text)
      },
    }
    const { log, file } = openLog(join(parts.file(), '..', '..'), { sink: counted })
    await Promise.all(Array.from({ length: 200 }, (_, number) => log.write(entryOf(number))))
    await log.close()
    assert.equal(recordsOf(file()).length, 201)
    // The start, and all that came while it was written.
    assert.ok(appends <= 3, `${appends}`)
  })

  test('goes on where it ended when it is opened again', async () => {
    const directory = newDirectory()
    const heads = headsOf()
    for (let round = 0; round < 3; round++) {
      const { log } = openLog(directory, { heads })
      await log.write(entryOf(round))
      await log.close()
    }
    assert.deepEqual(await verify(directory, heads), { chains: 1, records: 6, problems: 0, warnings: 0, findings: [] })
  })

  test('begins a file at midnight whose first record follows the last of the day before', async () => {
    const directory = newDirectory()
    const { log, clock, file, heads } = openLog(directory)
    await log.write(entryOf(1))
    clock.now += DAY_MS
    const second = log.write(entryOf(2))
    clock.now += 1
    await Promise.all([second, log.write(entryOf(3))])
    clock.now -= DAY_MS
    await log.write(entryOf(4))
    await log.close()
    const [before, behind] = [recordsOf(file()), recordsOf(file('2026-11-22'))]
    assert.equal(behind[0]?.prev, before.at(-1)?.hash)
    assert.deepEqual(
      behind.map(({ seq, requestId }) => [seq, requestId]),
      [
        [1, 'r2'],
        [2, 'r3'],
        [3, 'r4'],
      ],
    )
    assert.equal((await verify(directory, heads)).problems, 0)
    assert.deepEqual(
      (await heads.list()).map(({ seq }) => seq),
      [2, 3],
    )
  })

  test('takes records of two days that wait together into their own files', async () => {
    const directory = newDirectory()
    const { log, clock, file, heads } = openLog(directory)
    log.spool(entryOf(1))
    clock.now += DAY_MS
    log.spool(entryOf(2))
    clock.now -= DAY_MS
    await log.start()
    await log.close()
    assert.deepEqual([recordsOf(file()).length, recordsOf(file('2026-11-22')).length], [2, 1])
    assert.equal((await verify(directory, heads)).problems, 0)
  })

  test('spools without waiting, and writes when the time has come', async () => {
    const { log, file, runTimers } = openLog(newDirectory())
    await log.start()
    log.spool(entryOf(1))
    assert.equal(log.queued(), 1)
    assert.equal(recordsOf(file()).length, 1)
    runTimers()
    await log.write(entryOf(2))
    assert.deepEqual(
      recordsOf(file()).map(({ requestId }) => requestId),
      ['start', 'r1', 'r2'],
    )
    await log.close()
  })

  test('counts what it has no room for, and says so in the next record', async () => {
    const { log, file, lost } = openLog(newDirectory(), { maxWaiting: 2 })
    for (let number = 1; number <= 5; number++) log.spool(entryOf(number))
    assert.equal(lost(), 3)
    await assert.rejects(log.write(entryOf(6)), unavailable)
    await log.close()
    assert.deepEqual(
      recordsOf(file()).map(({ requestId, lost }) => [requestId, lost]),
      [
        ['start', undefined],
        ['r1', 3],
        ['r2', undefined],
      ],
    )
  })

  test('rejects and counts what comes after it was closed', async () => {
    const { log, lost } = openLog(newDirectory())
    await log.close()
    await assert.rejects(log.write(ISSUE), unavailable)
    log.spool(ISSUE)
    assert.equal(lost(), 1)
  })

  test('says why when its directory cannot be made, and writes once it can', async () => {
    const place = join(newDirectory(), 'audit')
    writeFileSync(place, 'a file')
    const { log, errors } = openLog(place)
    await assert.rejects(log.start(), { ...unavailable, message: /^the audit log \S+ cannot be written: E/ })
    await assert.rejects(log.write(entryOf(1)), unavailable)
    assert.equal(errors.length, 2)
    rmSync(place)
    await log.write(entryOf(2))
    await log.close()
  })

  test('is not written while its heads cannot be read: a cut would go unseen', async () => {
    const store = {
      ...headStore(),
      listAuditHeads: () => Promise.reject(new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away')),
    }
    const { log } = openLog(newDirectory(), { heads: headsOf(store) })
    await assert.rejects(log.write(ISSUE), unavailable)
    await log.close()
  })

  test('goes on while its head cannot be stored, and stores it later', async () => {
    const rows = headStore()
    let isAway = true
    const store: ReturnType<typeof headStore> = {
      ...rows,
      async putAuditHead(head) {
        if (isAway) throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'the store is away')
        await rows.putAuditHead(head)
      },
    }
    const { log, errors, runTimers } = openLog(newDirectory(), { heads: headsOf(store) })
    await log.write(ISSUE)
    runTimers()
    await turns()
    assert.equal(errors.length, 1)
    isAway = false
    await log.close()
    assert.equal(rows.rows.get('n1/2026-11-21')?.seq, 2)
  })
})

describe('after a failed write', () => {
  for (const part of [0, 0.3, 0.7, 1]) {
    test(`the chain goes on from what is in the file (${part * 100} % of what was written)`, async () => {
      const directory = newDirectory()
      const { sink, file } = openLog(directory)
      const heads = headsOf()
      const broken = failing(sink, file())
      broken.failures = 0
      broken.part = part
      const { log, errors } = openLog(directory, { sink: broken, heads })
      await log.write(entryOf(1))
      broken.failures = 1
      log.spool(entryOf(2))
      const refused = log.write(entryOf(3))
      await assert.rejects(refused, { ...unavailable, message: /ENOSPC: no space left on device/ })
      assert.equal(errors.length, 1)
      await log.write(entryOf(4))
      await log.close()
      const report = await verify(directory, heads)
      assert.deepEqual(
        [report.problems, report.warnings],
        [0, Number.isInteger(part) ? 0 : 1],
        JSON.stringify(report.findings),
      )
      const text = readFileSync(file(), 'utf8').split('\n')
      const whole = text.filter((line) => line.endsWith('}') && line.includes('"requestId":"r2"'))
      assert.equal(whole.length, 1)
    })
  }

  test('what was spooled waits for the next time', async () => {
    const directory = newDirectory()
    const { sink, file } = openLog(directory)
    const broken = failing(sink, join(directory, 'elsewhere'))
    broken.failures = 0
    const { log, runTimers, heads, lost, errors } = openLog(directory, { sink: broken })
    await log.start()
    await turns()
    broken.failures = 2
    log.spool(entryOf(1))
    for (const round of [1, 2]) {
      runTimers()
      await turns()
      assert.deepEqual([errors.length, log.queued()], [round, 1])
    }
    await log.close()
    assert.equal(lost(), 0)
    assert.deepEqual(
      recordsOf(file()).map(({ requestId }) => requestId),
      ['start', 'r1'],
    )
    assert.equal((await verify(directory, heads)).problems, 0)
  })

  test('what was spooled and can never be written is counted', async () => {
    const directory = newDirectory()
    const broken = failing(openLog(directory).sink, join(directory, 'elsewhere'))
    broken.failures = Infinity
    const { log, lost } = openLog(directory, { sink: broken })
    log.spool(entryOf(1))
    await log.close()
    assert.equal(lost(), 1)
  })
})

describe('a change of the files stays visible', () => {
  test('a file that was cut is not continued as if it were whole', async () => {
    const directory = newDirectory()
    const heads = headsOf()
    const first = openLog(directory, { heads })
    for (let number = 1; number <= 4; number++) await first.log.write(entryOf(number))
    await first.log.close()
    const lines = readFileSync(first.file(), 'utf8').split('\n')
    truncateSync(first.file(), lines.slice(0, 2).join('\n').length + 1)
    const again = openLog(directory, { heads })
    for (let number = 5; number <= 12; number++) await again.log.write(entryOf(number))
    await again.log.close()
    assert.deepEqual(
      again.errors.map((error) => error instanceof KeyProviderError && error.code),
      ['ERR_AUDIT_BROKEN'],
    )
    const { findings } = await verify(directory, heads)
    assert.deepEqual(
      findings.map(({ fault, line, seq }) => [fault, line, seq]),
      [['missing', 3, 6]],
    )
  })

  test('a file that was removed while it was written is begun anew behind the gap', async () => {
    const directory = newDirectory()
    const { log, file, heads } = openLog(directory)
    await log.write(entryOf(1))
    renameSync(file(), join(directory, 'moved'))
    await log.write(entryOf(2))
    await log.close()
    const { findings } = await verify(directory, heads)
    assert.deepEqual(
      findings.map(({ fault, line, seq }) => [fault, line, seq]),
      [['missing', 1, 3]],
    )
  })
})

test('one process at a time has the log of a node', async () => {
  const directory = newDirectory()
  const [first, second] = [openLog(directory), openLog(directory)]
  await first.log.write(entryOf(1))
  await assert.rejects(second.log.write(entryOf(2)), {
    ...unavailable,
    message: /another process writes as the node n1/,
  })
  await first.log.close()
  await second.log.write(entryOf(3))
  await second.log.close()
  assert.equal(recordsOf(first.file()).length, 4)
})

test('nothing but what an entry can say gets into a record, and no endless text', async () => {
  const { log, file } = openLog(newDirectory())
  const key = 'c2VjcmV0c2VjcmV0c2VjcmV0'
  const entry = {
    ...ISSUE,
    contentKey: key,
    actor: { ...ISSUE.actor, token: key },
    reason: `\ud800${'x'.repeat(5_000)}`,
  } as AuditEntry
  await log.write(entry)
  await log.close()
  assert.ok(!readFileSync(file(), 'utf8').includes(key))
  assert.equal(String(recordsOf(file())[1]?.reason).length, 1_024)
})
