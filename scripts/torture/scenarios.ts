import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { openLocalRootKey } from '../../src/adapters/root-keys/local.ts'
import { migratePostgresStore } from '../../src/adapters/store/postgres/store.ts'
import { raceFirstRequests } from '../../test/adapters/store/postgres/races.ts'
import { startPostgres } from '../../test/adapters/store/postgres/server.ts'
import { startTcpProxy } from '../../test/adapters/store/postgres/tcp-proxy.ts'
import { until } from '../../test/until.ts'
import { Acknowledged, ask } from './load.ts'
import { startServer } from './server.ts'

/** What a scenario showed. */
export interface Result {
  readonly scenario: string
  readonly rounds: number
  /** Contents whose keys were acknowledged, and answers that differed from them. */
  readonly acknowledged: number
  readonly differing: number
  readonly worstStartMs: number | undefined
  readonly passed: boolean
  readonly note: string
}

export interface Limits {
  readonly rounds: number
  /** The longest start that passes. A test passes none: how long a start takes says something of the machine. */
  readonly startMs?: number
  /** No round begins after it: milliseconds of `performance.now()`. */
  readonly deadline: number
}

const LOADERS = 8

/** The server on SQLite is killed under load, again and again. */
export async function killOnSqlite({ rounds, deadline, startMs = Number.POSITIVE_INFINITY }: Limits): Promise<Result> {
  return withScratch(async (data) => {
    const acknowledged = new Acknowledged()
    let [worstStartMs, round] = [0, 0]
    for (; round < rounds && performance.now() < deadline; round++) {
      const server = await startServer({ KEYSPRING_DATA: data })
      if (round > 0) worstStartMs = Math.max(worstStartMs, server.startMs)
      await acknowledged.verify(server.url, 50)
      await strikeUnderLoad(acknowledged, server.url, Math.random() * 200, () => server.kill())
    }
    const server = await startServer({ KEYSPRING_DATA: data })
    await acknowledged.verify(server.url)
    await server.kill()
    const passed = acknowledged.differing === 0 && worstStartMs < startMs && round === rounds
    return resultOf(
      'server killed, SQLite',
      round,
      acknowledged,
      worstStartMs,
      passed,
      `${acknowledged.refused} cut off`,
    )
  })
}

/** PostgreSQL is killed under load and started again; then the servers are. */
export async function killPostgres({ rounds, deadline, startMs = Number.POSITIVE_INFINITY }: Limits): Promise<Result> {
  return onPostgres(async ({ postgres, environment }) => {
    const acknowledged = new Acknowledged()
    let server = await startServer(environment)
    let [worstStartMs, round, worstBackMs] = [0, 0, 0]
    for (; round < rounds && performance.now() < deadline; round++) {
      await strikeUnderLoad(acknowledged, server.url, Math.random() * 300, async () => {
        await postgres.kill()
        await sleep(100)
        await postgres.start()
      })
      const upAt = performance.now()
      while ((await ask(server.url, `back-${randomUUID()}`)).status !== 200) await sleep(20)
      worstBackMs = Math.max(worstBackMs, performance.now() - upAt)
      await acknowledged.verify(server.url, 50)
      // Every fourth time the server dies too, and nothing is left in memory.
      if (round % 4 === 3) {
        await server.kill()
        server = await startServer(environment)
        worstStartMs = Math.max(worstStartMs, server.startMs)
      }
    }
    await server.kill()
    server = await startServer(environment)
    await acknowledged.verify(server.url)
    await server.kill()
    const passed = acknowledged.differing === 0 && worstStartMs < startMs && round === rounds
    const note = `${acknowledged.refused} refused, answers again ${Math.round(worstBackMs)} ms after PostgreSQL`
    return resultOf('PostgreSQL killed', round, acknowledged, worstStartMs, passed, note)
  })
}

/** Four nodes ask 32 times at once for the same new content. */
export async function race({ rounds }: Limits): Promise<Result> {
  return onPostgres(async ({ url, rootKey }) => {
    const { requests, differing } = await raceFirstRequests(url, rootKey, 4, rounds)
    const note = `${requests} first requests of 4 processes`
    const passed = differing === 0 && requests === 4 * 32 * rounds
    return {
      scenario: 'races, PostgreSQL',
      rounds,
      acknowledged: requests,
      differing,
      worstStartMs: undefined,
      passed,
      note,
    }
  })
}

/** The database is away: known contents answer, with new kids too, others are told to come again. */
export async function databaseDown(_limits: Limits): Promise<Result> {
  return onPostgres(async ({ postgres, environment }) => {
    const acknowledged = new Acknowledged()
    const server = await startServer(environment)
    const known = await ask(server.url, 'known')
    acknowledged.take('known', known.keys)
    const rotated = randomUUID()
    await postgres.stop()
    // Beyond the time for which an entry is used without asking.
    await sleep(6_000)
    const answers = [
      await ask(server.url, 'known'),
      await ask(server.url, 'known', rotated),
      await ask(server.url, 'new'),
    ]
    acknowledged.take('known', answers[0]?.keys ?? '')
    const during = answers.map(({ status }) => status).join()
    await postgres.start()
    const after = await ask(server.url, 'new')
    const again = await ask(server.url, 'known', rotated)
    acknowledged.take('known', (await ask(server.url, 'known')).keys)
    await server.kill()
    const passed =
      during === '200,200,503' &&
      answers[2]?.retryAfter !== null &&
      after.status === 200 &&
      again.keys === answers[1]?.keys &&
      acknowledged.differing === 0
    const note = `known, new kid, new content: ${during}; Retry-After ${answers[2]?.retryAfter}; then ${after.status}`
    return resultOf('database down', 1, acknowledged, undefined, passed, note)
  })
}

/** The database says nothing: the queue is bounded and the memory does not grow. */
export async function databaseSlow({ rounds }: Limits): Promise<Result> {
  return onPostgres(async ({ postgres, url, environment }) => {
    const proxy = await startTcpProxy(postgres.port)
    const through = url.reveal().replace(`:${postgres.port}/`, `:${proxy.port}/`)
    const timeouts = { KEYSPRING_POSTGRES_STATEMENT_TIMEOUT_MS: '500', KEYSPRING_POSTGRES_CONNECT_TIMEOUT_MS: '500' }
    const server = await startServer({
      ...environment,
      ...timeouts,
      KEYSPRING_STORE: through,
      KEYSPRING_POSTGRES_WAITING: '50',
    })
    const acknowledged = new Acknowledged()
    acknowledged.take('known', (await ask(server.url, 'known')).keys)
    const flood = async (): Promise<readonly number[]> => {
      const asked = Array.from({ length: 300 }, () => ask(server.url, `slow-${randomUUID()}`))
      return (await Promise.all(asked)).map(({ status }) => status)
    }
    await flood()
    const before = memoryOf(server.pid)
    proxy.stall(true)
    const statuses = new Map<number, number>()
    for (let n = 0; n < rounds; n++) {
      for (const status of await flood()) statuses.set(status, (statuses.get(status) ?? 0) + 1)
      acknowledged.take('known', (await ask(server.url, 'known')).keys)
    }
    const grown = memoryOf(server.pid) - before
    proxy.stall(false)
    await sleep(700)
    const after = await ask(server.url, `slow-${randomUUID()}`)
    await server.kill()
    await proxy.close()
    const only503 = statuses.size === 1 && statuses.has(503)
    const passed = only503 && grown < 64 && after.status === 200 && acknowledged.differing === 0
    const said = [...statuses].map(([status, count]) => `${count} × ${status}`).join(', ')
    return resultOf(
      'database slow',
      rounds,
      acknowledged,
      undefined,
      passed,
      `${said}; memory +${grown} MB; then ${after.status}`,
    )
  })
}

/** The disk of a SQLite store is full: what is new is refused, nothing is lost, and it goes on when there is room. */
export async function diskFull(_limits: Limits): Promise<Result> {
  return withScratch(async (scratch) => {
    const data = join(scratch, 'small')
    mkdirSync(data)
    const run = promisify(execFile)
    try {
      await run('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=700', 'tmpfs', data])
    } catch {
      const note = 'not run: this user may not mount a small file system'
      return resultOf('disk full, SQLite', 0, new Acknowledged(), undefined, true, note)
    }
    try {
      const acknowledged = new Acknowledged()
      let server = await startServer({ KEYSPRING_DATA: data })
      await acknowledged.load(server.url, () => acknowledged.refused > 20)
      const full = await ask(server.url, `full-${randomUUID()}`)
      const known = [...acknowledged.keys][0]
      if (known !== undefined) acknowledged.take(known[0], (await ask(server.url, known[0])).keys)
      await run('mount', ['-o', 'remount,size=16m', data])
      const after = await ask(server.url, `room-${randomUUID()}`)
      await server.kill()
      server = await startServer({ KEYSPRING_DATA: data })
      await acknowledged.verify(server.url)
      await server.kill()
      const passed = full.status === 503 && after.status === 200 && acknowledged.differing === 0
      return resultOf(
        'disk full, SQLite',
        1,
        acknowledged,
        undefined,
        passed,
        `${full.status}, with room again ${after.status}`,
      )
    } finally {
      await run('umount', [data])
    }
  })
}

/** Loads the server until keys were acknowledged in this round, a little longer, and then strikes while it is under load. */
async function strikeUnderLoad(
  acknowledged: Acknowledged,
  url: string,
  longerMs: number,
  strike: () => Promise<void>,
): Promise<void> {
  const enough = acknowledged.keys.size + LOADERS
  let isOver = false
  const loaders = Array.from({ length: LOADERS }, () => acknowledged.load(url, () => isOver))
  try {
    await until('keys are acknowledged', () => acknowledged.keys.size >= enough, { everyMs: 5 })
    await sleep(longerMs)
    await strike()
  } finally {
    isOver = true
    await Promise.all(loaders)
  }
}

interface Place {
  readonly postgres: Awaited<ReturnType<typeof startPostgres>>
  readonly url: Awaited<ReturnType<Place['postgres']['newUrl']>>
  readonly rootKey: string
  /** For a server on it. */
  readonly environment: Readonly<Record<string, string>>
}

async function onPostgres(work: (place: Place) => Promise<Result>): Promise<Result> {
  return withScratch(async (scratch) => {
    const postgres = await startPostgres()
    try {
      const url = await postgres.newUrl()
      const rootKey = join(scratch, 'root.key')
      await openLocalRootKey({ file: rootKey, create: true })
      await migratePostgresStore({ url })
      const environment = { KEYSPRING_STORE: url.reveal(), KEYSPRING_ROOT_KEY_FILE: rootKey }
      return await work({ postgres, url, rootKey, environment })
    } finally {
      await postgres.remove()
    }
  })
}

async function withScratch<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'keyspring-torture-'))
  try {
    return await work(directory)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Resident megabytes of a process; 0 where the system does not tell. */
function memoryOf(pid: number): number {
  const file = `/proc/${pid}/status`
  if (!existsSync(file)) return 0
  const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(readFileSync(file, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1_024)
}

function resultOf(
  scenario: string,
  rounds: number,
  { keys, differing }: Acknowledged,
  worstStartMs: number | undefined,
  passed: boolean,
  note: string,
): Result {
  return { scenario, rounds, acknowledged: keys.size, differing, worstStartMs, passed, note }
}
