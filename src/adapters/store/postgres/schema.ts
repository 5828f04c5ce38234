import { KeyProviderError } from '../../../core/errors.ts'
import { type AppliedMigration, checksumOf, type Migration, pendingMigrations } from '../migration.ts'
import type { PostgresPool } from './pool.ts'

/**
 * The PostgreSQL schema, in SQL that CockroachDB and YugabyteDB accept too. Names are escaped text (`escapeName`).
 * Foreign keys to data_key prevent the removal of a generation that a value needs, whatever a node does meanwhile.
 */
export const POSTGRES_MIGRATIONS: readonly Migration[] = [
  {
    name: 'contents, overrides, data keys and the ledger',
    sql: `
      CREATE TABLE keyspring_data_key (
        tenant TEXT NOT NULL,
        generation BIGINT NOT NULL,
        wrapped BYTEA NOT NULL,
        PRIMARY KEY (tenant, generation)
      );
      CREATE TABLE keyspring_content (
        tenant TEXT NOT NULL,
        content_id TEXT NOT NULL,
        sealed_secret BYTEA,
        generation BIGINT,
        tombstone_at BIGINT,
        tombstone_reason TEXT,
        PRIMARY KEY (tenant, content_id),
        FOREIGN KEY (tenant, generation) REFERENCES keyspring_data_key (tenant, generation)
      );
      CREATE TABLE keyspring_override (
        tenant TEXT NOT NULL,
        content_id TEXT NOT NULL,
        kid UUID NOT NULL,
        class TEXT NOT NULL,
        sealed BYTEA NOT NULL,
        generation BIGINT,
        pssh TEXT NOT NULL,
        PRIMARY KEY (tenant, content_id, kid, class),
        FOREIGN KEY (tenant, generation) REFERENCES keyspring_data_key (tenant, generation)
      );
      CREATE TABLE keyspring_kid_override (
        tenant TEXT NOT NULL,
        content_id TEXT NOT NULL,
        track_type TEXT NOT NULL,
        period_index TEXT NOT NULL,
        kid UUID NOT NULL,
        PRIMARY KEY (tenant, content_id, track_type, period_index)
      );
      CREATE TABLE keyspring_ledger_period (
        tenant TEXT NOT NULL,
        content_id TEXT NOT NULL,
        period_id TEXT NOT NULL,
        first_at BIGINT NOT NULL,
        last_at BIGINT NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (tenant, content_id, period_id)
      );
      CREATE INDEX keyspring_ledger_period_by_time ON keyspring_ledger_period (last_at);
      CREATE TABLE keyspring_ledger_kid (
        tenant TEXT NOT NULL,
        kid UUID NOT NULL,
        content_id TEXT NOT NULL,
        class TEXT NOT NULL,
        period_id TEXT NOT NULL,
        PRIMARY KEY (tenant, kid, content_id, class, period_id),
        FOREIGN KEY (tenant, content_id, period_id)
          REFERENCES keyspring_ledger_period (tenant, content_id, period_id) ON DELETE CASCADE
      );
      CREATE INDEX keyspring_ledger_kid_by_period ON keyspring_ledger_kid (tenant, content_id, period_id)`,
  },
  {
    name: 'sealed values by data key',
    sql: `
      CREATE INDEX keyspring_content_by_generation ON keyspring_content (tenant, generation);
      CREATE INDEX keyspring_override_by_generation ON keyspring_override (tenant, generation)`,
  },
  {
    name: 'clients',
    sql: `
      CREATE TABLE keyspring_client (name TEXT NOT NULL PRIMARY KEY, registered TEXT NOT NULL);
      CREATE TABLE keyspring_client_seal (
        name TEXT NOT NULL REFERENCES keyspring_client (name) ON DELETE CASCADE,
        tenant TEXT NOT NULL,
        generation BIGINT NOT NULL,
        PRIMARY KEY (name, tenant, generation),
        FOREIGN KEY (tenant, generation) REFERENCES keyspring_data_key (tenant, generation)
      )`,
  },
  {
    name: 'the life of contents, documents, writes that may be repeated and heads of audit chains',
    sql: `
      ALTER TABLE keyspring_content ADD COLUMN tombstone_cause TEXT;
      ALTER TABLE keyspring_content ADD COLUMN created_at BIGINT;
      ALTER TABLE keyspring_content ADD COLUMN expires_at BIGINT;
      ALTER TABLE keyspring_content ADD COLUMN hold TEXT;
      ALTER TABLE keyspring_content ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
      ALTER TABLE keyspring_ledger_period ADD COLUMN keep_until BIGINT;
      CREATE TABLE keyspring_document (
        tenant TEXT NOT NULL,
        content_id TEXT NOT NULL,
        xml TEXT NOT NULL,
        revision TEXT NOT NULL,
        at BIGINT NOT NULL,
        PRIMARY KEY (tenant, content_id)
      );
      CREATE TABLE keyspring_idempotent_write (
        tenant TEXT NOT NULL,
        client TEXT NOT NULL,
        key TEXT NOT NULL,
        request_hash TEXT NOT NULL,
        at BIGINT NOT NULL,
        status INT,
        body TEXT,
        PRIMARY KEY (tenant, client, key)
      );
      CREATE INDEX keyspring_idempotent_write_by_time ON keyspring_idempotent_write (at);
      CREATE TABLE keyspring_audit_head (
        chain TEXT NOT NULL PRIMARY KEY,
        seq BIGINT NOT NULL,
        sealed BYTEA NOT NULL,
        tenant TEXT NOT NULL,
        generation BIGINT,
        FOREIGN KEY (tenant, generation) REFERENCES keyspring_data_key (tenant, generation)
      )`,
  },
  {
    name: 'the life of contents that stand already',
    sql: `
      UPDATE keyspring_content SET tombstone_cause = 'deleted' WHERE tombstone_at IS NOT NULL;
      UPDATE keyspring_ledger_period SET keep_until = last_at + 604800000;
      INSERT INTO keyspring_content (tenant, content_id)
        SELECT tenant, content_id FROM keyspring_override
        UNION SELECT tenant, content_id FROM keyspring_kid_override
        ON CONFLICT (tenant, content_id) DO NOTHING;
      CREATE INDEX keyspring_content_by_name ON keyspring_content (tenant, content_id COLLATE "C");
      CREATE INDEX keyspring_content_by_expiry ON keyspring_content (expires_at, tenant, content_id)
        WHERE expires_at IS NOT NULL AND hold IS NULL;
      DROP INDEX keyspring_ledger_period_by_time;
      CREATE INDEX keyspring_ledger_period_by_end ON keyspring_ledger_period (keep_until) WHERE keep_until IS NOT NULL`,
  },
  {
    name: 'key periods by when they were first asked for',
    sql: 'CREATE INDEX keyspring_ledger_period_by_start ON keyspring_ledger_period (first_at)',
  },
  {
    // Processes of the version before may issue kids for some time without recording them here.
    name: 'kids that were issued',
    sql: `
      CREATE TABLE keyspring_issued_kid (
        tenant TEXT NOT NULL,
        content_id TEXT NOT NULL,
        kid UUID NOT NULL,
        class TEXT NOT NULL,
        PRIMARY KEY (tenant, content_id, kid, class)
      );
      CREATE TABLE keyspring_issued_since (at BIGINT NOT NULL);
      INSERT INTO keyspring_issued_since (at) SELECT CASE WHEN EXISTS (SELECT 1 FROM keyspring_content)
        THEN (extract(epoch FROM now())::BIGINT + 86400) * 1000 ELSE 0 END;
      INSERT INTO keyspring_issued_kid (tenant, content_id, kid, class)
        SELECT DISTINCT tenant, content_id, kid, class FROM keyspring_ledger_kid`,
  },
]

/** The schema version that this version of Keyspring writes. */
export const POSTGRES_SCHEMA_VERSION = POSTGRES_MIGRATIONS.length

/** The steps that a migration ran. */
export interface MigrationReport {
  readonly from: number
  readonly to: number
  readonly applied: readonly string[]
}

/** Brings the schema up to date, one transaction per step. Several processes may run it at once. */
export async function migratePostgres(pool: PostgresPool): Promise<MigrationReport> {
  await makeHistory(pool)
  const from = (await readHistory(pool)).length
  const applied: string[] = []
  for (;;) {
    const history = await readHistory(pool)
    const [next] = pendingMigrations(pool.name, POSTGRES_MIGRATIONS, history)
    if (next === undefined) return { from, to: history.length, applied }
    if (await apply(pool, history.length + 1, next)) applied.push(next.name)
  }
}

/**
 * Throws unless the schema is that of this version: ERR_STORE_SCHEMA_NEWER, or ERR_STORE_SCHEMA_OLDER with the command
 * that fixes it.
 */
export async function requirePostgresSchema(pool: PostgresPool): Promise<void> {
  const history = (await hasHistory(pool)) ? await readHistory(pool) : []
  const pending = pendingMigrations(pool.name, POSTGRES_MIGRATIONS, history)
  if (pending.length === 0) return
  throw new KeyProviderError(
    'ERR_STORE_SCHEMA_OLDER',
    `the store ${pool.name} has schema ${history.length}, and this keyspring needs ${POSTGRES_MIGRATIONS.length}: ` +
      'run `keyspring store migrate`, or serve with --migrate',
  )
}

const HISTORY = {
  find: {
    name: 'keyspring-find-history',
    text: `SELECT 1 FROM information_schema.tables
      WHERE table_name = 'keyspring_migration' AND table_schema = current_schema()`,
  },
  read: {
    name: 'keyspring-read-history',
    text: 'SELECT version, name, checksum FROM keyspring_migration ORDER BY version',
  },
  make: {
    name: 'keyspring-make-history',
    text: `CREATE TABLE IF NOT EXISTS keyspring_migration (
      version INT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())`,
  },
  put: {
    name: 'keyspring-put-history',
    text: 'INSERT INTO keyspring_migration (version, name, checksum) VALUES ($1, $2, $3) ON CONFLICT (version) DO NOTHING',
  },
}

async function hasHistory(pool: PostgresPool): Promise<boolean> {
  return (await pool.run(HISTORY.find, [])).rows.length > 0
}

async function makeHistory(pool: PostgresPool): Promise<void> {
  if (await hasHistory(pool)) return
  try {
    await pool.run(HISTORY.make, [])
  } catch (error) {
    // Another process created it at this moment: IF NOT EXISTS does not see uncommitted tables.
    if (!(await hasHistory(pool))) throw error
  }
}

async function readHistory(pool: PostgresPool): Promise<readonly AppliedMigration[]> {
  const { rows } = await pool.run(HISTORY.read, [])
  return rows.map(({ version, name, checksum }) => {
    return { version: Number(version), name: String(name), checksum: String(checksum) }
  })
}

/**
 * Runs one step. Returns false if another process ran it. The history row is the lock: a second process waits for it.
 */
function apply(pool: PostgresPool, version: number, migration: Migration): Promise<boolean> {
  return pool.transaction(async (run) => {
    const { count } = await run(HISTORY.put, [version, migration.name, checksumOf(migration)])
    if (count === 0) return false
    for (const [index, text] of migration.sql.split(';\n').entries()) {
      await run({ name: `keyspring-migration-${version}-${index}`, text }, [])
    }
    return true
  })
}
