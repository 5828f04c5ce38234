import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Attack, Group, Outcome } from './attack/case.ts'
import { DIGESTS, JWTS, PASSWORDS, PROXIES, SIGNATURES, TOKENS } from './attack/credentials.ts'
import { SOUND } from './attack/documents.ts'
import { HTTP, SMUGGLING } from './attack/http.ts'
import { CONTENT_IDS, KEY_URLS } from './attack/ids.ts'
import { RECIPIENTS } from './attack/recipients.ts'
import { openMany, sockets, socketsFor } from './attack/sockets.ts'
import { type Memory, startTarget, type Target } from './attack/target.ts'
import { BOMBS, STRUCTURE, TEXTS, TREES } from './attack/xml.ts'

/**
 * Attacks a server of its own on this machine and prints a table. Each attack has to get the right status, in less than
 * 50 ms of the server's time where it is refused for what it says, without a stack or a secret; afterwards the server
 * answers as before and has its memory back.
 */
const { values: flags } = parseArgs({
  options: { only: { type: 'string', default: '' } },
})

const MAX_MS = 50
/** Caches that are bounded may fill, and garbage may wait. */
const LIVE_SLACK = 48 * 1_024 * 1_024
/** V8 and malloc keep what ten thousand connections needed at once. */
const MAX_RESIDENT = 512 * 1_024 * 1_024
const ATTACK_DEADLINE_MS = 60_000
const STACK = /\n\s+at .+:\d+:\d+|node:internal|\/src\/[a-z]+\//

const openFiles = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim())
const idle = socketsFor(Number.isNaN(openFiles) ? 10_500 : openFiles)
const groups: readonly Group[] = [
  BOMBS,
  TREES,
  TEXTS,
  STRUCTURE,
  CONTENT_IDS,
  KEY_URLS,
  RECIPIENTS,
  SMUGGLING,
  HTTP,
  TOKENS,
  JWTS,
  PASSWORDS,
  DIGESTS,
  SIGNATURES,
  PROXIES,
  sockets(idle),
]

interface Row {
  readonly group: string
  readonly name: string
  readonly status: number
  readonly ms: number | undefined
  readonly problem: string | undefined
}

const directory = mkdtempSync(join(tmpdir(), 'keyspring-attack-'))
const target = await startTarget(directory, idle + 500)
const rows: Row[] = []
try {
  const atStart = await target.memory()
  await warmUp(target)
  await firstCrowd(target)
  const before = await target.memory()
  for (const { name: group, attacks } of groups) {
    for (const attack of attacks) {
      if (!`${group} ${attack.name}`.includes(flags.only)) continue
      rows.push({ group, ...(await run(attack)) })
    }
  }
  await sleep(3_000)
  const after = await settled(before)
  const answering = await target.isAnswering()
  const stopped = await target.stop()
  report({ atStart, before, after }, answering, stopped)
} finally {
  await target.stop()
  rmSync(directory, { recursive: true, force: true })
}

async function run(attack: Attack): Promise<Omit<Row, 'group'>> {
  const late = sleep(ATTACK_DEADLINE_MS, undefined, { ref: false }).then(
    (): Outcome => ({ status: -1, text: 'no end' }),
  )
  const outcome = await Promise.race([attack.send(target), late])
  // The log is written in a moment of its own.
  if (outcome.requestId !== undefined) await until(() => target.serverTime(outcome.requestId ?? '') !== undefined, 200)
  const ms = outcome.requestId === undefined ? undefined : target.serverTime(outcome.requestId)
  const { status } = outcome
  return {
    name: attack.name,
    status,
    ms: attack.slow === true ? undefined : ms,
    problem: problemOf(attack, outcome, ms),
  }
}

function problemOf(attack: Attack, outcome: Outcome, ms: number | undefined): string | undefined {
  const { status, text } = outcome
  if (!attack.expected.includes(status)) {
    return `expected ${attack.expected.join(' or ')}${status <= 0 ? `: ${text.slice(0, 80)}` : ''}`
  }
  if (STACK.test(text)) return 'it shows a stack'
  if (status !== 200 && /PlainValue>[^<]/.test(text)) return 'it shows a key'
  if (secretIn(text) !== undefined) return `it shows the ${secretIn(text)}`
  if (ms !== undefined && ms > MAX_MS && attack.slow !== true && status !== 200) return `took ${ms} ms`
  return attack.problem?.(outcome, target)
}

/** The name of a secret in a text. */
function secretIn(text: string): string | undefined {
  return Object.entries(target.secrets).find(([name, secret]) => name !== 'accessKeyId' && text.includes(secret))?.[0]
}

/** So that what is measured later is not the first growth of the heap. */
async function warmUp({ post }: Target): Promise<void> {
  for (let i = 0; i < 30; i++) {
    await Promise.all(Array.from({ length: 20 }, (_, j) => post(SOUND.replace('attack', `warm-${i}-${j}`))))
    await post(Buffer.alloc(1_000_000, 0x20))
  }
}

/** As many connections as will be, once: what is made for them the first time is kept for the next. */
async function firstCrowd(target: Target): Promise<void> {
  const sockets = await openMany(target, idle, '')
  await sleep(500)
  for (const socket of sockets) socket.destroy()
  await sleep(1_000)
}

/** The memory once its garbage was collected, which ordinary load brings about. */
async function settled(before: Memory): Promise<Memory> {
  let memory = await target.memory()
  for (let i = 0; i < 20 && memory.live > before.live + LIVE_SLACK / 2; i++) {
    await warmUp(target)
    const { resident, live } = await target.memory()
    memory = { resident, live: Math.min(live, memory.live) }
  }
  return memory
}

async function until(isSo: () => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms
  while (!isSo() && performance.now() < deadline) await sleep(5)
}

interface Memories {
  readonly atStart: Memory
  readonly before: Memory
  readonly after: Memory
}

function report({ atStart, before, after }: Memories, answering: boolean, stopped: number | null): void {
  const failed = rows.filter(({ problem }) => problem !== undefined)
  const width = Math.max(...rows.map(({ name }) => name.length))
  for (const { name: group } of groups) {
    const own = rows.filter((row) => row.group === group)
    if (own.length === 0) continue
    console.log(`\n${group}: ${own.length}`)
    for (const { name, status, ms, problem } of own) {
      const time = ms === undefined ? '' : `${ms.toFixed(1)} ms`
      console.log(
        `  ${problem === undefined ? 'ok ' : 'BAD'} ${name.padEnd(width)} ${String(status || 'closed').padStart(6)} ${time.padStart(9)}${problem === undefined ? '' : `  ${problem}`}`,
      )
    }
  }
  const log = target.log()
  const megabytes = (bytes: number): string => `${Math.round(bytes / 1_024 / 1_024)} MB`
  const times = rows.flatMap(({ ms, status }) => (ms === undefined || status === 200 ? [] : [ms])).sort((a, b) => a - b)
  const checks: readonly (readonly [string, boolean])[] = [
    [`${rows.length} attacks, ${rows.length - failed.length} as they should be`, failed.length === 0],
    [
      `slowest refusal ${(times.at(-1) ?? 0).toFixed(1)} ms of the server's time, median ${(times[Math.floor(times.length / 2)] ?? 0).toFixed(2)} ms`,
      (times.at(-1) ?? 0) <= MAX_MS,
    ],
    [`idle connections ${idle}${idle < 10_000 ? ` (10000 need ulimit -n 10500, it is ${openFiles})` : ''}`, true],
    [
      `memory in use ${megabytes(atStart.live)} at the start, ${megabytes(before.live)} after ordinary load, ${megabytes(after.live)} after the attacks`,
      after.live <= before.live + LIVE_SLACK,
    ],
    [
      `memory of the process ${megabytes(atStart.resident)}, ${megabytes(before.resident)}, ${megabytes(after.resident)}`,
      after.resident <= MAX_RESIDENT,
    ],
    ['the log holds no secret', secretIn(log) === undefined],
    ['the log holds no stack', !STACK.test(log)],
    ['nothing was answered 5XX', rows.every(({ status }) => status < 500 || status === 501 || status === 505)],
    ['the server still answers', answering],
    ['the server ends in order', stopped === 0],
  ]
  console.log('')
  for (const [text, isSo] of checks) console.log(`${isSo ? 'ok ' : 'BAD'} ${text}`)
  if (checks.some(([, isSo]) => !isSo)) process.exitCode = 1
}
