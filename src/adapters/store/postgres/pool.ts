import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { KeyProviderError } from '../../../core/errors.ts'
import type { Secret } from '../../../core/secret.ts'
import type { Row } from '../rows.ts'
import { databaseUnavailable, isAnswered, isConnectionLoss, isContention, REMEDIES } from './error.ts'

/** A named statement: the server plans it once per connection. */
interface Statement {
  readonly name: string
  readonly text: string
}

/** Runs statements: one by one on the pool, or on the connection of a transaction. */
export type Run = (
  statement: Statement,
  values: readonly unknown[],
) => Promise<{ readonly rows: readonly Row[]; readonly count: number }>

export interface PostgresPool {
  /** Its name in messages: host and database, never user or password. */
  readonly name: string
  /**
   * Runs one statement, which is committed when the promise resolves. `repeatable` allows a retry after a lost
   * connection.
   */
  run(statement: Statement, values: readonly unknown[], repeatable?: boolean): ReturnType<Run>
  /** Runs `work` in one transaction (READ COMMITTED), and again from its start after a conflict with others. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface PostgresPoolOptions {
  readonly url: Secret<string>
  readonly connections?: number
  /** The number of calls that may wait for a connection. Further calls are rejected at once. */
  readonly maxWaiting?: number
  readonly connectTimeoutMs?: number
  readonly statementTimeoutMs?: number
}

const MAX_TRIES = 8
const IDLE_MS = 30_000
/** Longer than the server's own time limit, for a server that does not answer at all. */
const SILENCE_MS = 1_000

/** Connections to one PostgreSQL server, limited in number, in time and in waiting calls. */
export async function openPostgresPool(options: PostgresPoolOptions): Promise<PostgresPool> {
  const { url, connections = 10, maxWaiting = 1_000, connectTimeoutMs = 3_000, statementTimeoutMs = 5_000 } = options
  const { default: pg } = await import('pg')
  const name = databaseName(url)
  const pool: Pool = new pg.Pool({
    connectionString: withVerifiedTls(url.reveal()),
    application_name: 'keyspring',
    max: connections,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: IDLE_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + SILENCE_MS,
    keepAlive: true,
    allowExitOnIdle: true,
  })
  // An idle connection broke. The pool has dropped it; the next call fails if all are broken.
  pool.on('error', () => undefined)
  // A connection in use broke between two statements, and the next statement fails. Without a listener the error would
  // end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  let closing: Promise<void> | undefined

  const lend = async <T>(use: (client: PoolClient) => Promise<T>): Promise<T> => {
    if (closing !== undefined) throw unavailable(name, 'it was closed')
    if (pool.waitingCount >= maxWaiting) {
      throw unavailable(name, `${maxWaiting} calls wait for a connection already: check the load of the database`)
    }
    const client = await pool.connect()
    let isBroken = true
    try {
      const value = await use(client)
      isBroken = false
      return value
    } catch (error) {
      isBroken = !(error instanceof KeyProviderError) && !isAnswered(error)
      throw error
    } finally {
      client.release(isBroken)
    }
  }

  /** Retries with the same values: after conflicts with others, and once after a lost connection. */
  const persist = async <T>(repeatable: boolean, work: () => Promise<T>): Promise<T> => {
    let losses = 0
    for (let tries = 1; ; tries++) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof KeyProviderError) throw error
        const again = isContention(error) ? tries < MAX_TRIES : repeatable && isConnectionLoss(error) && losses++ < 1
        if (!again) throw databaseUnavailable(name, error)
        await sleep(Math.random() * 2 ** tries)
      }
    }
  }

  return {
    name,
    run: (statement, values, repeatable = true) =>
      persist(repeatable, () => lend((client) => runner(client)(statement, values))),
    transaction: (work) => persist(false, () => lend((client) => inTransaction(client, work))),
    close() {
      closing ??= pool.end()
      return closing
    },
  }
}

async function inTransaction<T>(client: PoolClient, work: (run: Run) => Promise<T>): Promise<T> {
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  try {
    const value = await work(runner(client))
    await client.query('COMMIT')
    return value
  } catch (error) {
    // The server has already rolled back on a broken connection.
    if (isAnswered(error) || error instanceof KeyProviderError) await client.query('ROLLBACK')
    throw error
  }
}

function runner(client: PoolClient): Run {
  return async ({ name, text }, values) => {
    const { rows, rowCount } = await client.query({ name, text, values: [...values] })
    return { rows: rows as Row[], count: rowCount ?? 0 }
  }
}

/**
 * The URL with `sslmode=verify-full`, unless it sets `sslmode` itself or its host is this machine: passwords and keys at rest
 * must not cross a network in plain text by default.
 */
export function withVerifiedTls(text: string): string {
  if (!URL.canParse(text)) return text
  const { hostname, searchParams } = new URL(text)
  const host = searchParams.get('host') ?? hostname
  const isLocal = host === '' || host.startsWith('/') || LOOPBACK.test(host)
  if (isLocal || searchParams.has('sslmode') || searchParams.has('ssl')) return text
  return `${text}${text.includes('?') ? '&' : '?'}sslmode=verify-full`
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/

/** Host, port and database of a URL. */
function databaseName(url: Secret<string>): string {
  if (!URL.canParse(url.reveal())) return 'postgres'
  const { host, pathname } = new URL(url.reveal())
  return `postgres://${host}${pathname}`
}

function unavailable(name: string, problem: string): KeyProviderError {
  return new KeyProviderError('ERR_STORE_UNAVAILABLE', `the store ${name} does not answer: ${problem}`)
}

const READ_ONLY = {
  name: 'keyspring-read-only',
  text: `SELECT current_setting('transaction_read_only') AS read_only`,
}

/** Rejects with ERR_STORE_UNAVAILABLE for a database that accepts no writes, such as a standby before its promotion. */
export async function checkPostgresWrites(pool: PostgresPool): Promise<void> {
  const [row] = (await pool.run(READ_ONLY, [])).rows
  if (row?.read_only !== 'on') return
  throw new KeyProviderError('ERR_STORE_UNAVAILABLE', `the store ${pool.name} does not answer: ${REMEDIES['25006']}`)
}
