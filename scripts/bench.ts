import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { newRecipient } from '../src/toolkit/encryptor/certificate.ts'
import { deliveryDataFor, requestOf } from './bench/documents.ts'
import { ask, type LoadResult, load, type MakeRequest, postOf } from './bench/load.ts'
import { portFrom } from './bench/port-from.ts'

const HELP = `npm run bench [-- options]
  --rounds N       rounds of each case, Keyspring and echo in turns (5)
  --seconds N      seconds of load in a round (2)
  --connections N  keep-alive connections (16; new contents: 64)
  --only TEXT      only the cases whose name contains TEXT
  --json FILE      write the table as JSON too`

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '16' },
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(HELP)
  process.exit(0)
}

interface Case {
  readonly name: string
  readonly goal: number | undefined
  readonly connections: number
  readonly make: MakeRequest
}

const PATH = '/speke/v2.0/copyProtection'
const HEADERS = { 'Content-Type': 'application/xml', 'X-Speke-Version': '2.0' }
const post = (body: string): Buffer => postOf(PATH, HEADERS, body)
const connections = Number(flags.connections)

const CONTENTS = 200

/** What live encryptors send all day: one of 200 known contents, with a period and kids that nobody asked for before. */
function rotating(keys: number, systems: number): MakeRequest {
  const [content, index, kids] = ['777', '1234567890', '1234-00005678']
  const bytes = post(requestOf(keys, systems, `channel-${content}`, { period: { index, kidDigits: kids } }))
  const placesOf = (text: string): readonly number[] => {
    const places: number[] = []
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) places.push(at)
    return places
  }
  const [contents, indexes, kidPlaces] = [placesOf(`channel-${content}`), placesOf(index), placesOf(kids)]
  return () => {
    const request = Buffer.from(bytes)
    const count = serial++
    const digits = String(count).padStart(10, '0')
    for (const at of contents)
      request.write(String(count % CONTENTS).padStart(3, '0'), at + 'channel-'.length, 'latin1')
    for (const at of indexes) request.write(digits, at, 'latin1')
    for (const at of kidPlaces) request.write(`${digits.slice(0, 4)}-00${digits.slice(4)}`, at, 'latin1')
    return request
  }
}

/** Requests that differ in ten digits: the counter goes on through the whole run, so no two are ever the same. */
let serial = 0
function counting(body: (digits: string) => string): MakeRequest {
  const digits = '0123456789'
  const bytes = post(body(digits))
  const places: number[] = []
  for (let at = bytes.indexOf(digits); at >= 0; at = bytes.indexOf(digits, at + 1)) places.push(at)
  return () => {
    const request = Buffer.from(bytes)
    const text = String(serial++).padStart(10, '0')
    for (const at of places) request.write(text, at, 'latin1')
    return request
  }
}
function repeating(body: string): MakeRequest {
  const bytes = post(body)
  return () => bytes
}

const sizes: readonly (readonly [
  keys: number,
  systems: number,
  same: number | undefined,
  unseen: number | undefined,
])[] = [
  [1, 1, undefined, undefined],
  [2, 3, 0.5, 0.35],
  [8, 3, 0.4, 0.2],
]
const recipient = deliveryDataFor(
  Buffer.from(newRecipient(Date.now(), randomBytes, 'bench').certificate).toString('base64'),
)
const cases: readonly Case[] = [
  { name: '2 × 3, rotation', goal: 0.25, connections, make: rotating(2, 3) },
  { name: '8 × 3, rotation', goal: undefined, connections, make: rotating(8, 3) },
  ...sizes.map(([keys, systems, goal]) => ({
    name: `${keys} × ${systems}, identical`,
    goal,
    connections,
    make: repeating(requestOf(keys, systems, 'bench')),
  })),
  ...sizes.map(([keys, systems, , goal]) => ({
    name: `${keys} × ${systems}, bytes never seen`,
    goal,
    connections,
    make: counting((digits) => `${requestOf(keys, systems, 'bench')}<!-- ${digits} -->`),
  })),
  {
    name: '2 × 3, new content, durable',
    goal: 0.25,
    connections: Math.max(64, connections),
    make: counting((digits) => requestOf(2, 3, `bench-${digits}`)),
  },
  {
    name: '2 × 3, encrypted',
    goal: 0.2,
    connections,
    make: repeating(requestOf(2, 3, 'bench', { deliveryData: recipient })),
  },
].filter(({ name }) => name.includes(flags.only))

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-bench-'))
const server = spawn(
  process.execPath,
  ['--max-semi-space-size=16', 'bin/keyspring.js', 'serve', '--port', '0', '--data', join(scratch, 'data')],
  {
    stdio: ['ignore', 'ignore', 'pipe'],
  },
)
const echo = spawn(process.execPath, ['scripts/bench/echo.ts', scratch], { stdio: ['ignore', 'pipe', 'inherit'] })
process.on('exit', () => {
  server.kill()
  echo.kill()
  rmSync(scratch, { recursive: true, force: true })
})

const [serverPort, echoPort] = await Promise.all([
  portFrom(server.stderr, /http:\/\/127\.0\.0\.1:(\d+)/),
  portFrom(echo.stdout, /^(\d+)$/m),
])

const rows: Row[] = []
for (const [i, { name, goal, connections: width, make }] of cases.entries()) {
  // The echo gets the very requests, and answers with the very bytes, of Keyspring.
  const { body, head } = await ask(serverPort, make(0))
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(`${name}: ${head}\n${body.toString()}`)
  writeFileSync(join(scratch, `answer-${i}`), body)
  const echoed: MakeRequest = (count) => retarget(make(count), `/answer-${i}`)
  const runs: [LoadResult & Usage, LoadResult & Usage][] = []
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const keyspring = await measure(server, { port: serverPort, connections: width, seconds: secondsOf(round), make })
    const bare = await measure(echo, { port: echoPort, connections: width, seconds: secondsOf(round), make: echoed })
    if (round > 0) runs.push([keyspring, bare])
    process.stderr.write(`\r${name}: round ${round} of ${flags.rounds} `)
  }
  process.stderr.write('\r\x1b[K')
  rows.push(rowOf(name, goal, body.length, runs))
}

/** The first round warms both up and is not counted. */
function secondsOf(round: number): number {
  return round === 0 ? Math.min(1, Number(flags.seconds)) : Number(flags.seconds)
}

console.log(
  `${rows.length} cases, ${flags.rounds} rounds of ${flags.seconds} s each in turns, medians; ${availableParallelism()} cores, node ${process.version}`,
)
console.log(
  'goal and ratio: requests per second as a share of a bare node:http server that reads and sends the same bytes\n',
)
printTable(rows)
if (flags.json !== undefined) writeFileSync(flags.json, `${JSON.stringify(rows, null, 2)}\n`)
process.exit(0)

interface Usage {
  readonly cpuMs: number
  readonly peakMb: number
}

interface Row {
  readonly case: string
  readonly answerBytes: number
  readonly requestsPerSecond: number
  readonly echoPerSecond: number
  readonly ratio: number
  readonly goal: number | undefined
  readonly cpuMsPerRequest: number
  readonly echoCpuMsPerRequest: number
  readonly p50: number
  readonly p99: number
  readonly peakMb: number
}

async function measure(child: ChildProcess, options: Parameters<typeof load>[0]): Promise<LoadResult & Usage> {
  const pid = child.pid ?? 0
  resetPeak(pid)
  const before = cpuMs(pid)
  const result = await load(options)
  return { ...result, cpuMs: cpuMs(pid) - before, peakMb: peakMb(pid) }
}

function rowOf(
  name: string,
  goal: number | undefined,
  answerBytes: number,
  runs: [LoadResult & Usage, LoadResult & Usage][],
): Row {
  const own = runs.map(([keyspring]) => keyspring)
  const bare = runs.map(([, echoRun]) => echoRun)
  const rate = ({ requests, seconds }: LoadResult): number => requests / seconds
  return {
    case: name,
    answerBytes,
    requestsPerSecond: median(own.map(rate)),
    echoPerSecond: median(bare.map(rate)),
    ratio: median(runs.map(([keyspring, echoRun]) => rate(keyspring) / rate(echoRun))),
    goal,
    cpuMsPerRequest: median(own.map((run) => run.cpuMs / run.requests)),
    echoCpuMsPerRequest: median(bare.map((run) => run.cpuMs / run.requests)),
    p50: median(own.map(({ p50 }) => p50)),
    p99: median(own.map(({ p99 }) => p99)),
    peakMb: Math.max(...own.map((run) => run.peakMb)),
  }
}

function printTable(table: readonly Row[]): void {
  const cells = table.map((row) => [
    row.case,
    String(row.answerBytes),
    row.requestsPerSecond.toFixed(0),
    row.echoPerSecond.toFixed(0),
    row.ratio.toFixed(2),
    row.goal?.toFixed(2) ?? '–',
    row.cpuMsPerRequest.toFixed(3),
    row.echoCpuMsPerRequest.toFixed(3),
    row.p50.toFixed(2),
    row.p99.toFixed(2),
    row.peakMb.toFixed(0),
  ])
  const head = [
    'case',
    'answer B',
    'req/s',
    'echo req/s',
    'ratio',
    'goal',
    'CPU ms',
    'echo CPU ms',
    'p50 ms',
    'p99 ms',
    'peak MB',
  ]
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => (row[i] ?? '').length)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  console.log(line(head))
  console.log(
    `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`,
  )
  for (const row of cells) console.log(line(row))
}

function retarget(request: Buffer, path: string): Buffer {
  return Buffer.concat([Buffer.from(`POST ${path}`), request.subarray(`POST ${PATH}`.length)])
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** User and system time of a process, in ticks of 10 ms. @see proc(5) */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function peakMb(pid: number): number {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}
