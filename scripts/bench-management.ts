import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { openLocalRootKey } from '../src/adapters/root-keys/local.ts'
import { openSqliteStore } from '../src/adapters/store/sqlite/store.ts'
import { systemIdOf, toKid } from '../src/formats/cenc.ts'
import { DataKeyRing } from '../src/keys/crypto/data-keys.ts'
import { seal } from '../src/keys/crypto/seal.ts'
import type { LedgerRecord } from '../src/keys/ports/ledger-store.ts'
import { ask, getOf, load, type MakeRequest, postOf } from './bench/load.ts'
import { portFrom } from './bench/port-from.ts'

const HELP = `npm run bench:management [-- options]: the operator's side on a store of many contents, against a bare node:http server
  --contents N     contents in the store (1000000)
  --expired N      of them, contents that a sweep destroys (50000)
  --rounds N       rounds of each case, Keyspring and echo in turns (5)
  --seconds N      seconds of load in a round (2)
  --connections N  keep-alive connections (8)`

const { values: flags } = parseArgs({
  options: {
    contents: { type: 'string', default: '1000000' },
    expired: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    connections: { type: 'string', default: '8' },
    help: { type: 'boolean', default: false },
  },
})
if (flags.help) {
  console.log(HELP)
  process.exit(0)
}

const CONTENTS = Number(flags.contents)
const EXPIRED = Number(flags.expired)
/** Contents of which the ledger knows a period, so that their kids can be resolved. */
const ISSUED = Math.min(10_000, CONTENTS)
const BATCH = 1_000
const DAY_MS = 86_400_000
const WIDEVINE = 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed'

const scratch = mkdtempSync(join(tmpdir(), 'keyspring-bench-'))
const data = join(scratch, 'data')
const config = join(scratch, 'keyspring.yaml')
const children: ChildProcess[] = []
process.on('exit', () => {
  for (const child of children) child.kill()
  rmSync(scratch, { recursive: true, force: true })
})
writeFileSync(
  config,
  `port: 0
data: ${data}
retention:
  classes: {brief: {keep: 1d, grace: 1s}}
  contents: [{contentId: 'expired-*', class: brief}]
  sweepMinutes: 0
limits: {clientRequestsPerSecond: 0}
`,
)
const kids = await fill()
const server = spawn(process.execPath, ['--max-semi-space-size=16', 'bin/keyspring.js', 'serve', '--config', config], {
  stdio: ['ignore', 'ignore', 'pipe'],
})
const echo = spawn(process.execPath, ['scripts/bench/echo.ts', scratch], { stdio: ['ignore', 'pipe', 'inherit'] })
children.push(server, echo)
const [port, echoPort] = await Promise.all([
  portFrom(server.stderr, /http:\/\/127\.0\.0\.1:(\d+)/),
  portFrom(echo.stdout, /^(\d+)$/m),
])

// Without clients, the API opens for the token in the data directory.
const BEARER = { Authorization: `Bearer ${readFileSync(join(data, 'management.token'), 'utf8').trim()}` }
const JSON_BODY = { 'Content-Type': 'application/json', ...BEARER }
const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T
const someKid = (): string => pick(kids)
const someStart = (): string => String(Math.floor(Math.random() * CONTENTS)).padStart(8, '0')
const cases: readonly { readonly name: string; readonly per: number; readonly make: MakeRequest }[] = [
  { name: 'resolve one kid', per: 1, make: () => postOf('/api/resolve', JSON_BODY, `{"kids":["${someKid()}"]}`) },
  {
    name: 'resolve eight kids of eight contents',
    per: 8,
    make: () => postOf('/api/resolve', JSON_BODY, JSON.stringify({ kids: Array.from({ length: 8 }, someKid) })),
  },
  { name: 'look a kid up', per: 1, make: () => getOf(`/api/kids/${someKid()}`, BEARER) },
  {
    name: 'list a page of 100 contents by prefix',
    per: 100,
    make: () => getOf(`/api/contents?limit=100&startsWith=content-${someStart().slice(0, 5)}`, BEARER),
  },
  {
    name: 'search 10,000 contents for a text',
    per: 1,
    make: () => getOf('/api/contents?limit=100&contains=zz', BEARER),
  },
]

const rows: string[] = []
for (const [i, { name, per, make }] of cases.entries()) {
  const { head, body } = await ask(port, make(0))
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(`${name}: ${head}\n${body.toString()}`)
  writeFileSync(join(scratch, `answer-${i}`), body)
  const echoed: MakeRequest = (count) => retarget(make(count), `/answer-${i}`)
  const runs: { readonly rate: number; readonly ratio: number; readonly p99: number }[] = []
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const options = { connections: Number(flags.connections), seconds: round === 0 ? 1 : Number(flags.seconds) }
    const own = await load({ ...options, port, make })
    const bare = await load({ ...options, port: echoPort, make: echoed })
    const rate = own.requests / own.seconds
    if (round > 0) runs.push({ rate, ratio: rate / (bare.requests / bare.seconds), p99: own.p99 })
    process.stderr.write(`\r${name}: round ${round} of ${flags.rounds} `)
  }
  process.stderr.write('\r\x1b[K')
  const [rate, ratio, p99] = (['rate', 'ratio', 'p99'] as const).map((of) => median(runs.map((run) => run[of])))
  rows.push(
    `| ${name} | ${Math.round(rate ?? 0)} | ${Math.round((rate ?? 0) * per)} | ${ratio?.toFixed(2)} | ${p99?.toFixed(1)} |`,
  )
}

const sweptAt = performance.now()
const { body } = await ask(port, postOf('/api/sweep', JSON_BODY, ''))
const { destroyed } = JSON.parse(body.toString()) as { readonly destroyed: number }
const sweepSeconds = (performance.now() - sweptAt) / 1_000
if (destroyed !== EXPIRED) throw new Error(`${destroyed} of ${EXPIRED} contents were destroyed`)

console.log(
  `${CONTENTS} contents on SQLite, ${flags.rounds} rounds of ${flags.seconds} s in turns, medians; node ${process.version}\n`,
)
console.log('| case | requests/s | things/s | share of echo | p99 ms |\n|---|---:|---:|---:|---:|')
for (const row of rows) console.log(row)
console.log(`| sweep: contents destroyed, each recorded | – | ${Math.round(destroyed / sweepSeconds)} | – | – |`)
process.exit(0)

/** Makes the store; the kids that the ledger knows. */
async function fill(): Promise<readonly string[]> {
  mkdirSync(data, { mode: 0o700 })
  const store = openSqliteStore({ file: join(data, 'keyspring.db') })
  const rootKeyName = join(data, 'root.key')
  const { rootKey } = await openLocalRootKey({ file: rootKeyName, create: true })
  const dataKeys = new DataKeyRing({ store, rootKey, rootKeyName, randomBytes })
  const dataKey = await dataKeys.current('default')
  const now = Date.now()
  /** What has expired was made, and asked for last, two days ago. */
  const put = (contentId: string, expiresAt: number | undefined) => {
    const ref = { tenant: 'default', contentId }
    const sealed = seal(dataKey, { kind: 'content-secret', ref }, randomBytes(32), randomBytes)
    return store.putSecretIfAbsent(ref, sealed, [], {
      at: expiresAt === undefined ? now : now - 2 * DAY_MS,
      expiresAt,
    })
  }
  const names = function* () {
    for (let n = 0; n < CONTENTS - EXPIRED; n++) yield [`content-${String(n).padStart(8, '0')}`, undefined] as const
    for (let n = 0; n < EXPIRED; n++) yield [`expired-${n}`, now - DAY_MS] as const
  }
  let done = 0
  let batch: Promise<unknown>[] = []
  for (const [contentId, expiresAt] of names()) {
    batch.push(put(contentId, expiresAt))
    if (batch.length < BATCH) continue
    await Promise.all(batch)
    batch = []
    done += BATCH
    if (done % 20_000 === 0) process.stderr.write(`\rstored ${done} of ${CONTENTS} contents `)
  }
  await Promise.all(batch)
  process.stderr.write('\r\x1b[K')
  const issued = Array.from({ length: ISSUED }, (_, n) => recordOf(`content-${String(n).padStart(8, '0')}`, now))
  for (let at = 0; at < issued.length; at += BATCH) await store.record(issued.slice(at, at + BATCH))
  await store.close()
  await rootKey.close()
  return issued.flatMap(({ keys }) => keys.map(({ kid }) => kid))
}

function recordOf(contentId: string, at: number): LedgerRecord {
  const kid = toKid(randomUUID())
  if (kid === undefined) throw new Error('no kid')
  const key = { kid, contentKeyClass: 'drm', commonEncryptionScheme: 'cenc', intendedTrackTypes: ['ALL'] } as const
  return {
    tenant: 'default',
    contentId,
    periodId: '',
    periodIndex: undefined,
    periodStart: undefined,
    periodEnd: undefined,
    keys: [{ ...key, systemIds: [systemIdOf(WIDEVINE)] }],
    client: 'bench',
    spekeVersion: '2.0',
    firstAt: at,
    lastAt: at,
    requests: 1,
    keepUntil: undefined,
  }
}

function retarget(request: Buffer, path: string): Buffer {
  const end = request.indexOf(' HTTP/1.1')
  const method = request.toString('latin1', 0, request.indexOf(' '))
  return Buffer.concat([Buffer.from(`${method} ${path}`), request.subarray(end)])
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
