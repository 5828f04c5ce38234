import { type ChildProcess, spawn } from 'node:child_process'
import { createSecretKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { signUrl } from '../src/auth/players/signed-url.ts'
import { mintPlayerToken, type PlayerTokenKey } from '../src/auth/players/token.ts'
import { requestKeys } from '../src/demo/speke.ts'
import { toKid } from '../src/formats/cenc.ts'
import { ask, load, type MakeRequest } from './bench/load.ts'

const HELP = `npm run bench:players [-- options]: key and licence requests against a bare node:http server
  --rounds N       rounds of each case, Keyspring and echo in turns (5)
  --seconds N      seconds of load in a round (2)
  --connections N  keep-alive connections (16)
  --only TEXT      only the cases whose name contains TEXT`

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '16' },
    only: { type: 'string', default: '' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(HELP)
  process.exit(0)
}

const SECRET = randomBytes(32).toString('hex')
const ed = generateKeyPairSync('ed25519')
const HS256: PlayerTokenKey = { id: 'secret', algorithm: 'HS256', key: createSecretKey(Buffer.from(SECRET)) }
const EDDSA: PlayerTokenKey = { id: 'ed', algorithm: 'EdDSA', key: ed.privateKey }
/** How many tokens or signatures are made for a round in which none may come twice. */
const FRESH = 24_000

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-bench-'))
const children: ChildProcess[] = []
/** By the ports that they listen on. */
const pids = new Map<number, number>()
process.on('exit', () => {
  for (const child of children) child.kill()
  rmSync(scratch, { recursive: true, force: true })
})

/** The tenant's keys that players ask for: one of HLS AES-128, three of a ClearKey licence. */
const KID = '0e5ad7c0-4f35-4a0b-9d3e-5b1d8a7c6f01'
const KIDS = ['AUDIO', 'SD', 'HD'].map((trackType, i) => ({
  kid: `0e5ad7c0-4f35-4a0b-9d3e-5b1d8a7c6f1${i}`,
  trackType,
}))

async function start(name: string, playback: object): Promise<number> {
  const file = join(scratch, `${name}.yaml`)
  writeFileSync(file, JSON.stringify({ port: 0, store: 'memory', playback }), { mode: 0o600 })
  const args = ['--max-semi-space-size=16', 'bin/keyspring.js', 'serve', '--config', file]
  const port = await portOf(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] }), 'stderr', /:(\d+),/)
  const url = `http://127.0.0.1:${port}/copyProtection`
  const tracks = [{ kid: KID, trackType: 'ALL' }]
  await requestKeys(url, { contentId: 'hls', scheme: 'cbc1', systems: ['aes128'], tracks })
  await requestKeys(url, { contentId: 'dash', scheme: 'cenc', systems: ['common', 'clearkey'], tracks: KIDS })
  return port
}

const jwks = join(scratch, 'jwks.json')
writeFileSync(jwks, JSON.stringify({ keys: [{ ...ed.publicKey.export({ format: 'jwk' }), kid: EDDSA.id }] }))
// One viewer does not ask as often as a bench: the limit is on, but out of the way.
const rateLimit = { perSecond: 1_000_000, burst: 1_000_000 }
const echo = spawn(process.execPath, ['scripts/bench/echo.ts', scratch], { stdio: ['ignore', 'pipe', 'inherit'] })
const ports = {
  open: await start('open', {}),
  jwt: await start('jwt', { access: 'jwt', jwt: { secret: SECRET, jwks }, rateLimit }),
  signed: await start('signed', { access: 'signed-url', signedUrl: { secret: SECRET }, rateLimit }),
  echo: await portOf(echo, 'stdout', /^(\d+)$/m),
}

const licenseOf = (kids: typeof KIDS): string =>
  JSON.stringify({
    kids: kids.map(({ kid }) => Buffer.from(kid.replaceAll('-', ''), 'hex').toString('base64url')),
    type: 'temporary',
  })
const keyRequest = (more = '', query = ''): Buffer =>
  Buffer.from(`GET /keys/default/hls/${KID}${query} HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}\r\n`)
const licenseRequest = (more = '', kids = KIDS, license = licenseOf(kids)): Buffer =>
  Buffer.from(
    `POST /license/clearkey/default/dash HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}Content-Length: ${license.length}\r\n\r\n${license}`,
  )
const bearer = (token: string): string => `Authorization: Bearer ${token}\r\n`

let serial = 0
const tokenOf = (key: PlayerTokenKey): Promise<string> =>
  mintPlayerToken(
    key,
    { tenant: 'default', contentIds: ['*'], subject: `viewer-${serial++}`, expiresAt: Date.now() + 3_600_000 },
    Date.now(),
  )
const signing = { id: 'secret', key: HS256.key as KeyObject }
const kid = toKid(KID)
const signedQuery = (): string =>
  `?${signUrl(signing, { tenant: 'default', contentId: 'hls', kid }, Date.now() + 3_600_000 + 1_000 * serial++)}`

/** Requests that come one after the other, and from the first again. */
const oneAfterTheOther = (requests: readonly Buffer[]): MakeRequest => {
  let next = 0
  return () => requests[next++ % requests.length] ?? Buffer.alloc(0)
}
const same = async (request: Buffer | Promise<Buffer>): Promise<MakeRequest> => {
  const bytes = await request
  return () => bytes
}
const fresh = async (make: () => Buffer | Promise<Buffer>, count = FRESH): Promise<MakeRequest> => {
  const requests: Buffer[] = []
  for (let i = 0; i < count; i++) requests.push(await make())
  return oneAfterTheOther(requests)
}

interface Case {
  readonly name: string
  readonly goal: number | undefined
  readonly port: number
  /** Makes the requests of one round. */
  readonly prepare: () => Promise<MakeRequest>
}

const withToken = async (key: PlayerTokenKey, request: (more: string) => Buffer): Promise<Buffer> =>
  request(bearer(await tokenOf(key)))
const cases: readonly Case[] = [
  { name: 'key, open', goal: 0.5, port: ports.open, prepare: () => same(keyRequest()) },
  { name: 'licence of 3 keys, open', goal: 0.5, port: ports.open, prepare: () => same(licenseRequest()) },
  {
    name: 'licence of 1 key, open',
    goal: 0.5,
    port: ports.open,
    prepare: () => same(licenseRequest('', KIDS.slice(0, 1))),
  },
  { name: 'key, the same token', goal: 0.5, port: ports.jwt, prepare: () => same(withToken(HS256, keyRequest)) },
  {
    name: 'key, one of 5000 tokens',
    goal: 0.4,
    port: ports.jwt,
    prepare: () => fresh(() => withToken(HS256, keyRequest), 5_000),
  },
  {
    name: 'licence of 1 key, the same token',
    goal: 0.5,
    port: ports.jwt,
    prepare: () => same(withToken(HS256, (more) => licenseRequest(more, KIDS.slice(0, 1)))),
  },
  {
    name: 'licence of 3 keys, the same token',
    goal: 0.5,
    port: ports.jwt,
    prepare: () => same(withToken(HS256, licenseRequest)),
  },
  {
    name: 'key, fresh HS256 tokens',
    goal: undefined,
    port: ports.jwt,
    prepare: () => fresh(() => withToken(HS256, keyRequest)),
  },
  {
    name: 'key, fresh EdDSA tokens',
    goal: undefined,
    port: ports.jwt,
    prepare: () => fresh(() => withToken(EDDSA, keyRequest)),
  },
  {
    name: 'key, fresh signed URLs',
    goal: undefined,
    port: ports.signed,
    prepare: () => fresh(() => keyRequest('', signedQuery())),
  },
].filter(({ name }) => name.includes(flags.only))

console.log('| case | req/s | echo req/s | ratio | goal | CPU µs | echo CPU µs | p50 ms | p99 ms |')
console.log('|---|---:|---:|---:|---:|---:|---:|---:|---:|')
const [rounds, seconds, connections] = [Number(flags.rounds), Number(flags.seconds), Number(flags.connections)]
for (const [i, { name, goal, port, prepare }] of cases.entries()) {
  const first = (await prepare())(0)
  const { head, body } = await ask(port, first)
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(`${name}: ${head}\n${body}`)
  writeFileSync(join(scratch, `answer-${i}`), body)
  const runs: Run[] = []
  for (let round = 0; round <= rounds; round++) {
    const make = await prepare()
    const measured = { connections, seconds: round === 0 ? 1 : seconds }
    const own = await measure(port, { ...measured, port, make })
    // The echo reads the same request, but for its target, and sends the same bytes.
    const echoed: MakeRequest = (count) => retarget(make(count), `/answer-${i}`)
    const bare = await measure(ports.echo, { ...measured, port: ports.echo, make: echoed })
    const rates = { own: own.requests / own.seconds, bare: bare.requests / bare.seconds }
    if (round > 0) runs.push({ ...rates, cpu: own.cpu, bareCpu: bare.cpu, p50: own.p50, p99: own.p99 })
  }
  const of = (pick: (run: (typeof runs)[number]) => number): number => median(runs.map(pick))
  const ratio = of((run) => run.own / run.bare)
  const cells = [
    of(({ own }) => own).toFixed(0),
    of(({ bare }) => bare).toFixed(0),
    ratio.toFixed(2),
    goal ?? '–',
    of(({ cpu }) => cpu).toFixed(1),
    of(({ bareCpu }) => bareCpu).toFixed(1),
  ]
  console.log(`| ${[name, ...cells, of(({ p50 }) => p50).toFixed(2), of(({ p99 }) => p99).toFixed(2)].join(' | ')} |`)
}
process.exit(0)

interface Run {
  readonly own: number
  readonly bare: number
  readonly cpu: number
  readonly bareCpu: number
  readonly p50: number
  readonly p99: number
}

/** A round of load, and the CPU time of the server for each request of it, in microseconds. */
async function measure(port: number, options: Parameters<typeof load>[0]) {
  const pid = pids.get(port) ?? 0
  const before = cpuMs(pid)
  const result = await load(options)
  return { ...result, cpu: ((cpuMs(pid) - before) * 1_000) / result.requests }
}

/** User and system time of a process, in ticks of 10 ms. @see proc(5) */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

function retarget(request: Buffer, target: string): Buffer {
  const start = request.indexOf(' ') + 1
  return Buffer.concat([request.subarray(0, start), Buffer.from(target), request.subarray(request.indexOf(' ', start))])
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The port that a child says it listens on. */
function portOf(child: ChildProcess, stream: 'stdout' | 'stderr', pattern: RegExp): Promise<number> {
  children.push(child)
  return new Promise((resolve, reject) => {
    let said = ''
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const found = pattern.exec(said)
      if (found === null) return
      pids.set(Number(found[1]), child.pid ?? 0)
      resolve(Number(found[1]))
    })
    child.once('close', () => reject(new Error(said)))
  })
}
