import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { KeyProviderError } from '../../../core/errors.ts'
import type { Secret } from '../../../core/secret.ts'
import type { Row } from '../rows.ts'
import { databaseUnavailable, isAnswered, isConnectionLoss, isContention, REMEDIES } from './error.ts'

/** A statement with a name: the server plans it once for each connection. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/** What runs statements: the pool, one by one, or the connection of a transaction. */
export type Run = (
  statement: Statement,
  values: readonly unknown[],
) => Promise<{ readonly rows: readonly Row[]; readonly count: number }>

export interface PostgresPool {
  /** What messages call it: host and database, never the user's password. */
  readonly name: string
  /** Runs one statement, committed when it resolves. `repeatable` says that it may be done twice. */
  run(statement: Statement, values: readonly unknown[], repeatable?: boolean): ReturnType<Run>
  /** Runs `work` in one transaction (READ COMMITTED), from the start again while others are in its way. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface PostgresPoolOptions {
  readonly url: Secret<string>
  readonly connections?: number
  /** How many calls may wait for a connection; more are refused at once. */
  readonly maxWaiting?: number
  readonly connectTimeoutMs?: number
  readonly statementTimeoutMs?: number
}

const MAX_TRIES = 8
const IDLE_MS = 30_000
/** Beyond the server's own limit, for a server that says nothing any more. */
const SILENCE_MS = 1_000

/** Connections to one PostgreSQL server, bounded in number, in time and in how many wait for them. */
export async function openPostgresPool(options: PostgresPoolOptions): Promise<PostgresPool> {
  const { url, connections = 10, maxWaiting = 1_000, connectTimeoutMs = 3_000, statementTimeoutMs = 5_000 } = options
  const { default: pg } = await import('pg')
  const name = databaseName(url)
  const pool: Pool = new pg.Pool({
    connectionString: url.reveal(),
    application_name: 'keyspring',
    max: connections,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: IDLE_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + SILENCE_MS,
    keepAlive: true,
    allowExitOnIdle: true,
  })
  // A connection that breaks while nobody uses it: the pool has dropped it, and the next call tells if all are broken.
  pool.on('error', () => undefined)
  // One that breaks while it is lent, between two statements: the next statement fails. Unheard, it would end the process.
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

  /** Tries again, with the same values, what others were in the way of; and once what a lost connection left open. */
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
    // On a broken connection there is nothing to undo: the server has done so.
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

/** Rejects with ERR_STORE_UNAVAILABLE for a database that takes no writes: a standby is one until it is promoted. */
export async function checkPostgresWrites(pool: PostgresPool): Promise<void> {
  const [row] = (await pool.run(READ_ONLY, [])).rows
  if (row?.read_only !== 'on') return
  throw new KeyProviderError('ERR_STORE_UNAVAILABLE', `the store ${pool.name} does not answer: ${REMEDIES['25006']}`)
}
