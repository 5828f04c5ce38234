import type { ClientStore } from '../../../auth/clients/client.ts'
import { KeyProviderError } from '../../../core/errors.ts'
import type { Secret } from '../../../core/secret.ts'
import type { ContentStore, LifeStore } from '../../../keys/ports/content-store.ts'
import type { LedgerStore, RecentPeriods } from '../../../keys/ports/ledger-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import type { ManageStore } from '../../../operations/ports/store.ts'
import { postgresLedger, postgresRecentPeriods } from './ledger.ts'
import { postgresLife } from './life.ts'
import { postgresMaintenance } from './maintenance.ts'
import { postgresClients, postgresManage } from './manage.ts'
import { checkPostgresWrites, openPostgresPool, type PostgresPool, type PostgresPoolOptions } from './pool.ts'
import { postgresReads } from './reads.ts'
import { type MigrationReport, migratePostgres, requirePostgresSchema } from './schema.ts'
import { postgresWrites } from './writes.ts'

export interface PostgresStoreOptions extends PostgresPoolOptions {
  /** Replicas from which contents may be read. */
  readonly replicas?: readonly Secret<string>[]
  /** Whether to migrate the schema. Otherwise an old schema is an error. */
  readonly migrate?: boolean
  /** Called when a replica does not answer. The primary is asked then. */
  readonly onReplicaAway?: (error: KeyProviderError) => void
}

/** The store for several nodes: PostgreSQL, or a compatible database. The process keeps only connections. */
export async function openPostgresStore(
  options: PostgresStoreOptions,
): Promise<ContentStore & LedgerStore & RecentPeriods & ClientStore & StoreMaintenance & LifeStore & ManageStore> {
  const { replicas = [], migrate = false, onReplicaAway = () => {} } = options
  const primary = await openPostgresPool(options)
  const followers: PostgresPool[] = []
  const close = async (): Promise<void> => {
    await Promise.all([primary, ...followers].map((pool) => pool.close()))
  }
  try {
    await requireDurability(primary)
    if (migrate) await migratePostgresStore(options)
    else await requirePostgresSchema(primary)
    for (const url of replicas) followers.push(await openPostgresPool({ ...options, url }))
  } catch (error) {
    await close()
    throw error
  }
  const reads = postgresReads(primary)
  const replicaReads = followers.map(postgresReads)
  let turn = 0

  return {
    ...postgresWrites(primary, reads),
    ...postgresLedger(primary),
    ...postgresRecentPeriods(primary),
    ...postgresMaintenance(primary),
    ...postgresClients(primary),
    ...postgresLife(primary),
    ...postgresManage(primary),
    ...reads,

    /** Reads from a replica if it has the content, else from the primary, because the content may be new. */
    async findContent(ref, kids) {
      const replica = replicaReads[turn++ % Math.max(1, replicaReads.length)]
      if (replica !== undefined) {
        try {
          const found = await replica.findContent(ref, kids)
          if (found?.sealedSecret !== undefined || found?.tombstone !== undefined) return found
        } catch (error) {
          if (!(error instanceof KeyProviderError) || error.code !== 'ERR_STORE_UNAVAILABLE') throw error
          onReplicaAway(error)
        }
      }
      return reads.findContent(ref, kids)
    },
    checkWrites: () => checkPostgresWrites(primary),
    close,
  }
}

/** A step may have to read every row. */
const MIGRATION_TIMEOUT_MS = 900_000

/** Brings the schema of a database up to date and returns the steps that it ran. */
export async function migratePostgresStore(options: PostgresPoolOptions): Promise<MigrationReport> {
  const pool = await openPostgresPool({ ...options, statementTimeoutMs: MIGRATION_TIMEOUT_MS })
  try {
    await requireDurability(pool)
    return await migratePostgres(pool)
  } finally {
    await pool.close()
  }
}

const DURABILITY = {
  name: 'keyspring-durability',
  text: `SELECT current_setting('synchronous_commit', true) AS commit, current_setting('fsync', true) AS disk`,
}

/** Keys are answered once their secret is durable. A database that confirms before it is durable is an error. */
async function requireDurability(pool: PostgresPool): Promise<void> {
  const [row] = (await pool.run(DURABILITY, [])).rows
  const off = [
    ['commit', 'synchronous_commit'],
    ['disk', 'fsync'],
  ].filter(([column = '']) => row?.[column] === 'off')
  if (off.length === 0) return
  throw new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store ${pool.name} can lose confirmed writes: set ${off.map(([, name]) => name).join(' and ')} to on`,
  )
}
