import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { openAuditFiles } from '../../../src/adapters/audit-files/files.ts'
import { memoryStore } from '../../../src/adapters/store/memory/store.ts'
import { createDataKey, DataKeyRing } from '../../../src/keys/crypto/data-keys.ts'
import { sealGeneration } from '../../../src/keys/crypto/seal.ts'
import { type AuditHeads, createAuditHeads, resealAuditHeads } from '../../../src/operations/audit/heads.ts'
import { ChainedAuditLog } from '../../../src/operations/audit/log.ts'
import { auditLine, NO_RECORD, readAuditLine } from '../../../src/operations/audit/record.ts'
import type { AuditFile } from '../../../src/operations/audit/sink.ts'
import { type AuditReport, verifyAudit } from '../../../src/operations/audit/verify.ts'
import { AUDIT_TENANT } from '../../../src/operations/ports/store.ts'
import { fakeRootKey } from '../../keys/fixtures.ts'
import { DAY_MS, dataKeysOf, entryOf, headStore, headsOf, NOON, SERVER, verify } from './fixtures.ts'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-verify-'))
after(() => rmSync(scratch, { recursive: true }))

const DAYS = ['2026-11-21', '2026-11-22', '2026-11-23']
const sample = join(scratch, 'sample')
const rows = headStore()
const dataKeys = dataKeysOf()
const heads: AuditHeads = headsOf(rows, dataKeys)

/** Four records on each of three days, from two nodes. */
for (const node of ['n1', 'n2']) {
  let now = NOON
  const sink = openAuditFiles({ directory: sample, node })
  const log = new ChainedAuditLog({ sink, node, heads, startedBy: SERVER, now: () => now })
  for (const [index] of DAYS.entries()) {
    for (let number = 0; number < 4; number++) await log.write(entryOf(10 * index + number))
    now += DAY_MS
  }
  await log.close()
}

const nameOf = (directory: string, day = 0, node = 'n1'): string => join(directory, node, `${DAYS[day]}.jsonl`)
const faultsOf = ({ findings }: AuditReport) => findings.map(({ fault, chain, line }) => `${fault} ${chain} ${line}`)

/** A copy of the sample, changed. */
async function changed(change: (directory: string) => void): Promise<AuditReport> {
  const directory = mkdtempSync(join(scratch, 'changed-'))
  cpSync(sample, directory, { recursive: true })
  change(directory)
  return verify(directory, heads)
}

/** A copy of the sample with other lines in the first file. */
function edited(edit: (lines: string[]) => void, day = 0): Promise<AuditReport> {
  return changed((directory) => {
    const lines = readFileSync(nameOf(directory, day), 'utf8').split('\n').slice(0, -1)
    edit(lines)
    writeFileSync(nameOf(directory, day), lines.map((line) => `${line}\n`).join(''))
  })
}

describe('an unchanged log', () => {
  test('holds together', async () => {
    const report = await verify(sample, heads)
    assert.deepEqual(report, { chains: 6, records: 26, problems: 0, warnings: 0, findings: [] })
  })

  test('holds together from a day on, whatever became of older files', async () => {
    const directory = mkdtempSync(join(scratch, 'since-'))
    cpSync(sample, directory, { recursive: true })
    rmSync(nameOf(directory, 0))
    rmSync(nameOf(directory, 1))
    assert.equal((await verify(directory, heads, { since: '2026-11-23' })).problems, 0)
    assert.ok((await verify(directory, heads)).problems > 0)
  })

  test('can be verified for the nodes whose files are here', async () => {
    const report = await verify(sample, heads, { nodes: ['n2'] })
    assert.deepEqual([report.chains, report.problems], [3, 0])
  })

  test('still holds when its heads were sealed with a newer data key', async () => {
    const options = { store: memoryStore(), rootKey: fakeRootKey(1), rootKeyName: 'root.key', randomBytes }
    const own = { store: headStore(), dataKeys: new DataKeyRing(options), randomBytes }
    const first = createAuditHeads(own)
    for (const head of await heads.list()) await first.put(await heads.open(head))
    await createDataKey(options, AUDIT_TENANT, 2)
    const rotated = { ...own, dataKeys: new DataKeyRing(options) }
    assert.deepEqual([await resealAuditHeads(rotated), await resealAuditHeads(rotated)], [6, 0])
    assert.deepEqual(new Set([...own.store.rows.values()].map(({ sealed }) => sealGeneration(sealed))), new Set([2]))
    assert.equal((await verify(sample, createAuditHeads(rotated))).problems, 0)
  })

  test('is said to be open at its end while its last second is not sealed', async () => {
    const old = new Map(rows.rows)
    const shorter = headStore()
    for (const head of old.values()) await shorter.putAuditHead(head)
    shorter.rows.delete(`n2/${DAYS[2]}`)
    const report = await verify(sample, headsOf(shorter, dataKeys))
    assert.deepEqual([report.problems, faultsOf(report)], [0, [`no-head n2/${DAYS[2]} undefined`]])
  })
})

describe('what somebody did to a log is found where it was done', () => {
  const chain = `n1/${DAYS[0]}`
  const swap = (lines: string[], one: number, other: number): void => {
    const [a = '', b = ''] = [lines[one], lines[other]]
    lines[one] = b
    lines[other] = a
  }
  for (const [what, edit, expected] of [
    [
      'an edited record',
      (lines) => lines.splice(2, 1, lines[2]?.replace('movie', 'mov1e') ?? ''),
      [`edited ${chain} 3`],
    ],
    ['another order of members', (lines) => lines.splice(2, 1, reordered(lines[2])), [`edited ${chain} 3`]],
    ['a deleted record', (lines) => lines.splice(2, 1), [`missing ${chain} 3`]],
    ['a deleted first record', (lines) => lines.splice(0, 1), [`missing ${chain} 1`]],
    ['a record twice', (lines) => lines.splice(2, 0, lines[2] ?? ''), [`reordered ${chain} 4`]],
    [
      'a line that is no record',
      (lines) => lines.splice(2, 0, 'hello'),
      [`unreadable ${chain} 3`, `reordered ${chain} 4`],
    ],
    ['an empty line', (lines) => lines.splice(2, 0, ''), [`unreadable ${chain} 3`, `reordered ${chain} 4`]],
    [
      'two records swapped',
      (lines) => swap(lines, 1, 2),
      [`missing ${chain} 2`, `reordered ${chain} 3`, `missing ${chain} 4`],
    ],
    [
      'records cut from the end',
      (lines) => lines.splice(3),
      [`truncated ${chain} undefined`, `missing n1/${DAYS[1]} 1`],
    ],
    ['all records cut', (lines) => lines.splice(0), [`truncated ${chain} undefined`, `missing n1/${DAYS[1]} 1`]],
  ] as [string, (lines: string[]) => void, string[]][]) {
    test(what, async () => assert.deepEqual(faultsOf(await edited(edit)), expected))
  }

  test('the newest file cut: only the head tells', async () => {
    const report = await edited((lines) => lines.splice(3), 2)
    assert.deepEqual(faultsOf(report), [`truncated n1/${DAYS[2]} undefined`])
  })

  test('a whole day removed', async () => {
    const report = await changed((directory) => rmSync(nameOf(directory, 1)))
    assert.deepEqual(faultsOf(report), [`missing n1/${DAYS[2]} 1`, `missing n1/${DAYS[1]} undefined`])
  })

  test('the newest day removed', async () => {
    const report = await changed((directory) => rmSync(nameOf(directory, 2)))
    assert.deepEqual(faultsOf(report), [`missing n1/${DAYS[2]} undefined`])
  })

  test('everything removed', async () => {
    const report = await changed((directory) => rmSync(join(directory, 'n1'), { recursive: true }))
    assert.equal(report.problems, 3)
    assert.equal((await verify(join(scratch, 'nowhere'), heads)).problems, 6)
  })

  test('the file of another day or node in its place', async () => {
    const report = await changed((directory) => renameSync(nameOf(directory, 2, 'n2'), nameOf(directory, 2, 'n1')))
    assert.ok(faultsOf(report).includes(`misplaced n1/${DAYS[2]} 1`))
  })
})

function reordered(line = ''): string {
  return JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(line)).reverse()))
}

test('a chain written anew from a record on does not end with the sealed head', async () => {
  const directory = mkdtempSync(join(scratch, 'anew-'))
  cpSync(sample, directory, { recursive: true })
  const lines = readFileSync(nameOf(directory, 2), 'utf8').split('\n')
  writeFileSync(nameOf(directory, 2), `${lines[0]}\n`)
  const sink = openAuditFiles({ directory, node: 'n1' })
  // Without heads it goes on from what the file says, as a forger would.
  const now = () => NOON + 2 * DAY_MS
  const forger = new ChainedAuditLog({ sink, node: 'n1', heads: undefined, startedBy: SERVER, now })
  for (let number = 0; number < 4; number++) await forger.write(entryOf(90 + number))
  await forger.close()
  assert.deepEqual(faultsOf(await verify(directory, heads)), [
    `forged n1/${DAYS[2]} 2`,
    `forged n1/${DAYS[2]} 3`,
    `edited n1/${DAYS[2]} 4`,
    `forged n1/${DAYS[2]} 4`,
    `forged n1/${DAYS[2]} 5`,
    `forged n1/${DAYS[2]} 6`,
    `unsealed n1/${DAYS[2]} undefined`,
  ])
})

describe('a record that Keyspring did not write', () => {
  /** Appends a record with right numbers and hashes, as anyone who can write the file can. */
  function forge(file: string, mac?: string): void {
    const last = readAuditLine(Buffer.from(readFileSync(file, 'utf8').split('\n').at(-2) ?? '')) ?? assert.fail()
    const [node = '', day = ''] = last.chain.split('/')
    const place = { node, day, seq: last.seq + 1, prev: last.hash, at: NOON + 2 * DAY_MS }
    const sign = mac === undefined ? undefined : () => ({ generation: 1, value: mac })
    appendFileSync(file, auditLine(place, { ...entryOf(66), action: 'key.export' }, {}, sign).text)
  }
  /** What a server does that starts on the forged file: it takes the file as it is, and seals its end. */
  async function restart(directory: string, own: AuditHeads): Promise<readonly unknown[]> {
    const errors: unknown[] = []
    const sink = openAuditFiles({ directory, node: 'n1' })
    const now = () => NOON + 2 * DAY_MS
    const onError = (error: unknown) => errors.push(error)
    const log = new ChainedAuditLog({ sink, node: 'n1', heads: own, startedBy: SERVER, now, onError })
    await log.write(entryOf(67))
    await log.close()
    return errors
  }
  const newCopy = async () => {
    const directory = mkdtempSync(join(scratch, 'forged-'))
    cpSync(sample, directory, { recursive: true })
    const copied = headStore()
    for (const head of rows.rows.values()) await copied.putAuditHead(head)
    return { directory, own: headsOf(copied, dataKeys) }
  }

  test('is found although a later start sealed it: it has no MAC', async () => {
    const { directory, own } = await newCopy()
    forge(nameOf(directory, 2))
    await restart(directory, own)
    assert.deepEqual(faultsOf(await verify(directory, own)), [`forged n1/${DAYS[2]} 5`])
  })

  test('is found although a later start sealed it: its MAC is wrong, and the start says so', async () => {
    const { directory, own } = await newCopy()
    forge(nameOf(directory, 2), 'ab'.repeat(32))
    const [error] = await restart(directory, own)
    assert.match(String(error), /record 5 of n1\/2026-11-23 carries a MAC that Keyspring did not make/)
    assert.deepEqual(faultsOf(await verify(directory, own)), [`forged n1/${DAYS[2]} 5`])
  })

  test('is found in a file of a later day', async () => {
    const { directory, own } = await newCopy()
    const { hash } =
      readAuditLine(Buffer.from(readFileSync(nameOf(directory, 2), 'utf8').split('\n').at(-2) ?? '')) ?? {}
    const place = { node: 'n1', day: '2026-11-24', seq: 1, prev: hash ?? '', at: NOON + 3 * DAY_MS }
    writeFileSync(join(directory, 'n1', '2026-11-24.jsonl'), auditLine(place, entryOf(66)).text)
    assert.deepEqual(faultsOf(await verify(directory, own)), [
      'forged n1/2026-11-24 1',
      'no-head n1/2026-11-24 undefined',
    ])
  })

  test('of a log without MACs is not looked for: logs of earlier releases still verify', async () => {
    const directory = mkdtempSync(join(scratch, 'old-'))
    const old = headStore()
    const place = { node: 'n1', day: DAYS[0] ?? '', seq: 1, prev: NO_RECORD, at: NOON }
    const { text, hash } = auditLine(place, entryOf(1))
    mkdirSync(join(directory, 'n1'))
    writeFileSync(nameOf(directory, 0), text)
    await headsOf(old, dataKeys).put({ chain: `n1/${DAYS[0]}`, seq: 1, hash, macKeys: [] })
    await restart(directory, headsOf(old, dataKeys))
    const report = await verify(directory, headsOf(old, dataKeys))
    assert.deepEqual(report, { chains: 2, records: 3, problems: 0, warnings: 0, findings: [] })
  })
})

test('MACs verify after their data key was removed: the heads keep the keys of their chains', async () => {
  const options = { store: memoryStore(), rootKey: fakeRootKey(1), rootKeyName: 'root.key', randomBytes }
  const own = { store: headStore(), dataKeys: new DataKeyRing(options), randomBytes }
  const directory = mkdtempSync(join(scratch, 'removed-'))
  const sink = openAuditFiles({ directory, node: 'n1' })
  const log = new ChainedAuditLog({
    sink,
    node: 'n1',
    heads: createAuditHeads(own),
    startedBy: SERVER,
    now: () => NOON,
  })
  await log.write(entryOf(1))
  await log.close()
  await createDataKey(options, AUDIT_TENANT, 2)
  await resealAuditHeads({ ...own, dataKeys: new DataKeyRing(options) })
  const found = new DataKeyRing(options)
  const dataKeys = {
    current: async (tenant: string) => found.current(tenant),
    find: async (tenant: string, generation: number) => (generation === 1 ? undefined : found.find(tenant, generation)),
  }
  const report = await verify(directory, createAuditHeads({ ...own, dataKeys }))
  assert.deepEqual(report, { chains: 1, records: 2, problems: 0, warnings: 0, findings: [] })
})

describe('heads', () => {
  test('that were moved to another chain do not open', async () => {
    const moved = headStore()
    for (const head of rows.rows.values()) await moved.putAuditHead(head)
    const other = moved.rows.get(`n2/${DAYS[0]}`) ?? assert.fail()
    moved.rows.set(`n1/${DAYS[0]}`, { ...other, chain: `n1/${DAYS[0]}` })
    assert.deepEqual(faultsOf(await verify(sample, headsOf(moved, dataKeys))), [`head-broken n1/${DAYS[0]} undefined`])
  })

  test('whose number was altered are found', async () => {
    const altered = headStore()
    for (const head of rows.rows.values()) await altered.putAuditHead({ ...head, seq: head.seq - 1 })
    const report = await verify(sample, headsOf(altered, dataKeys))
    assert.deepEqual(new Set(report.findings.map(({ fault }) => fault)), new Set(['head-broken']))
  })

  test('that another root key sealed do not open', async () => {
    const report = await verify(sample, { ...headsOf(rows, dataKeysOf()), list: heads.list })
    // Nor can the MACs of the 26 records be checked.
    assert.deepEqual([report.problems, report.findings[0]?.fault], [6 + 26, 'head-broken'])
  })

  test('of which there are none are a warning', async () => {
    const report = await verify(sample, headsOf(headStore(), dataKeys))
    assert.deepEqual([report.problems, report.warnings], [0, 6])
  })
})

describe('a line that a crash left unfinished', () => {
  const newCopy = (): string => {
    const directory = mkdtempSync(join(scratch, 'torn-'))
    cpSync(sample, directory, { recursive: true })
    appendFileSync(nameOf(directory, 2), '{"action":"key.iss')
    return directory
  }
  const restart = async (directory: string): Promise<void> => {
    const sink = openAuditFiles({ directory, node: 'n1' })
    const now = () => NOON + 2 * DAY_MS
    const log = new ChainedAuditLog({ sink, node: 'n1', heads: own, startedBy: SERVER, now })
    await log.start()
    await log.close()
  }
  let own: AuditHeads
  before(async () => {
    const copy = headStore()
    for (const head of rows.rows.values()) await copy.putAuditHead(head)
    own = headsOf(copy, dataKeys)
  })

  test('is a warning before and after the next start', async () => {
    const directory = newCopy()
    const first = await verify(directory, own)
    assert.deepEqual([first.problems, faultsOf(first)], [0, [`unfinished n1/${DAYS[2]} 5`]])
    await restart(directory)
    const report = await verify(directory, own)
    assert.deepEqual([report.problems, faultsOf(report)], [0, [`unfinished n1/${DAYS[2]} 5`]])
    // What the start says of it is of these very bytes.
    for (const change of ['{"action":"key.isS', '']) {
      const text = readFileSync(nameOf(directory, 2), 'utf8')
      writeFileSync(
        nameOf(directory, 2),
        text.replace(change === '' ? '{"action":"key.iss\n' : '{"action":"key.iss', change),
      )
      assert.ok((await verify(directory, own)).problems > 0)
      writeFileSync(nameOf(directory, 2), text)
    }
  })
})

describe('any small change of any file is found', () => {
  const bytes: Buffer[] = []
  before(() => bytes.push(...DAYS.map((_, day) => readFileSync(nameOf(sample, day)))))

  /** The first node's files, from memory, one of them changed. */
  async function problemsWith(day: number, content: Uint8Array): Promise<number> {
    const files = DAYS.map((name, index): AuditFile => {
      const all = Buffer.from(index === day ? content : (bytes[index] ?? assert.fail()))
      return {
        node: 'n1',
        day: name,
        name,
        async *lines() {
          let start = 0
          for (let end = all.indexOf(10); end !== -1; end = all.indexOf(10, start)) {
            yield { bytes: all.subarray(start, end), isWhole: true }
            start = end + 1
          }
          if (start < all.length) yield { bytes: all.subarray(start), isWhole: false }
        },
      }
    })
    return (await verifyAudit({ files, listed: await heads.list(), heads, nodes: ['n1'] })).problems
  }

  const place = fc.tuple(fc.nat(2), fc.nat(), fc.nat())
  const changes: Record<string, (content: Buffer, at: number, value: number) => Uint8Array> = {
    'an edited byte': edit,
    'a deleted byte': (content, at) => Buffer.concat([content.subarray(0, at), content.subarray(at + 1)]),
    'an inserted byte': (content, at, value) =>
      Buffer.concat([content.subarray(0, at), Buffer.of(value % 256), content.subarray(at)]),
    'a byte twice': (content, at) => Buffer.concat([content.subarray(0, at + 1), content.subarray(at)]),
    truncation: (content, at) => content.subarray(0, at),
    'a cut beginning': (content, at) => content.subarray(at + 1),
  }
  for (const [what, change] of Object.entries(changes)) {
    test(what, async () => {
      await fc.assert(
        fc.asyncProperty(place, async ([day, offset, value]) => {
          const content = bytes[day] ?? assert.fail()
          assert.ok((await problemsWith(day, change(content, offset % content.length, value))) > 0)
        }),
        { numRuns: 400 },
      )
    })
  }

  test('none of which is found where nothing was changed', async () => {
    assert.equal(await problemsWith(0, bytes[0] ?? assert.fail()), 0)
  })

  function edit(content: Buffer, at: number, value: number): Uint8Array {
    const copy = Buffer.from(content)
    copy[at] = ((copy[at] ?? 0) + 1 + (value % 255)) % 256
    return copy
  }
})
