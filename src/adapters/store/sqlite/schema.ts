import type { DatabaseSync } from 'node:sqlite'
import { type AppliedMigration, checksumOf, type Migration, pendingMigrations } from '../migration.ts'

/** The steps from an empty file to the current schema. */
export const SQLITE_MIGRATIONS: readonly Migration[] = [
  {
    name: 'contents, overrides, data keys and the ledger',
    sql: `
  CREATE TABLE content (
    tenant TEXT NOT NULL,
    content_id TEXT NOT NULL,
    sealed_secret BLOB,
    tombstone_at INTEGER,
    tombstone_reason TEXT,
    PRIMARY KEY (tenant, content_id)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE override (
    tenant TEXT NOT NULL,
    content_id TEXT NOT NULL,
    kid TEXT NOT NULL,
    class TEXT NOT NULL,
    sealed BLOB NOT NULL,
    pssh TEXT NOT NULL, -- JSON: pairs of system id and base64
    PRIMARY KEY (tenant, content_id, kid, class)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE kid_override (
    tenant TEXT NOT NULL,
    content_id TEXT NOT NULL,
    track_type TEXT NOT NULL, -- '=' and the track type, or '' for any
    period_index TEXT NOT NULL, -- '=' and the index, or '' for any
    kid TEXT NOT NULL,
    PRIMARY KEY (tenant, content_id, track_type, period_index)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE data_key (
    tenant TEXT NOT NULL,
    generation INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (tenant, generation)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE ledger_period (
    id INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    content_id TEXT NOT NULL,
    period_id TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    record TEXT NOT NULL, -- JSON
    UNIQUE (tenant, content_id, period_id)
  ) STRICT;
  CREATE INDEX ledger_period_by_time ON ledger_period (last_at);
  CREATE INDEX ledger_period_by_content ON ledger_period (tenant, content_id, last_at);

  CREATE TABLE ledger_kid (
    tenant TEXT NOT NULL,
    kid TEXT NOT NULL,
    content_id TEXT NOT NULL,
    class TEXT NOT NULL,
    period INTEGER NOT NULL REFERENCES ledger_period (id) ON DELETE CASCADE,
    PRIMARY KEY (tenant, kid, content_id, class, period)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX ledger_kid_by_period ON ledger_kid (period);
  `,
  },
  {
    name: 'data keys that were removed',
    sql: `
  CREATE TABLE removed_data_key (
    tenant TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (tenant, generation)
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    name: 'clients',
    sql: `
  CREATE TABLE client (
    name TEXT NOT NULL PRIMARY KEY,
    registered TEXT NOT NULL -- JSON
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE client_seal ( -- the data keys that the credentials of clients need
    name TEXT NOT NULL,
    tenant TEXT NOT NULL,
    generation INTEGER NOT NULL,
    PRIMARY KEY (name, tenant, generation)
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    name: 'the life of contents, documents, writes that may be repeated and heads of audit chains',
    sql: `
  ALTER TABLE content ADD COLUMN tombstone_cause TEXT; -- 'deleted' or 'expired'
  ALTER TABLE content ADD COLUMN created_at INTEGER;
  ALTER TABLE content ADD COLUMN expires_at INTEGER;
  ALTER TABLE content ADD COLUMN hold TEXT;
  ALTER TABLE content ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
  UPDATE content SET tombstone_cause = 'deleted' WHERE tombstone_at IS NOT NULL;
  INSERT OR IGNORE INTO content (tenant, content_id)
    SELECT tenant, content_id FROM override UNION SELECT tenant, content_id FROM kid_override;
  CREATE INDEX content_by_expiry ON content (expires_at, tenant, content_id)
    WHERE expires_at IS NOT NULL AND hold IS NULL;

  ALTER TABLE ledger_period ADD COLUMN keep_until INTEGER;
  UPDATE ledger_period SET keep_until = last_at + 604800000;
  DROP INDEX ledger_period_by_time;
  CREATE INDEX ledger_period_by_end ON ledger_period (keep_until) WHERE keep_until IS NOT NULL;

  CREATE TABLE document (
    tenant TEXT NOT NULL,
    content_id TEXT NOT NULL,
    xml TEXT NOT NULL,
    revision TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (tenant, content_id)
  ) STRICT;

  CREATE TABLE idempotent_write (
    tenant TEXT NOT NULL,
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    at INTEGER NOT NULL,
    status INTEGER,
    body TEXT,
    PRIMARY KEY (tenant, client, key)
  ) STRICT;
  CREATE INDEX idempotent_write_by_time ON idempotent_write (at);

  CREATE TABLE audit_head (
    chain TEXT NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL,
    sealed BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  },
  {
    name: 'key periods by when they were first asked for',
    sql: 'CREATE INDEX ledger_period_by_start ON ledger_period (first_at);',
  },
  {
    name: 'kids that were issued',
    sql: `
  CREATE TABLE issued_kid (
    tenant TEXT NOT NULL,
    content_id TEXT NOT NULL,
    kid TEXT NOT NULL,
    class TEXT NOT NULL,
    PRIMARY KEY (tenant, content_id, kid, class)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE issued_since (at INTEGER NOT NULL) STRICT;
  -- Processes of the version before may issue kids for some time without recording them here.
  INSERT INTO issued_since (at) SELECT CASE WHEN EXISTS (SELECT 1 FROM content)
    THEN (CAST(strftime('%s', 'now') AS INTEGER) + 86400) * 1000 ELSE 0 END;

  INSERT INTO issued_kid (tenant, content_id, kid, class)
    SELECT DISTINCT tenant, content_id, kid, class FROM ledger_kid;
  `,
  },
]

/** The schema version that this version of Keyspring writes. */
const SCHEMA_VERSION = SQLITE_MIGRATIONS.length

const HISTORY = `CREATE TABLE IF NOT EXISTS migration (
  version INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT`

/** Brings the schema up to date in one transaction. Throws ERR_STORE_SCHEMA_NEWER for the schema of a later version. */
export function migrate(db: DatabaseSync, file: string): void {
  if (pendingMigrations(file, SQLITE_MIGRATIONS, historyOf(db)).length === 0) return
  db.exec('BEGIN IMMEDIATE')
  try {
    db.exec(HISTORY)
    const put = db.prepare('INSERT INTO migration (version, name, checksum) VALUES (?, ?, ?)')
    // Another process may have been first.
    for (const step of pendingMigrations(file, SQLITE_MIGRATIONS, historyOf(db))) {
      const version = SQLITE_MIGRATIONS.indexOf(step) + 1
      if (version > versionOf(db)) db.exec(step.sql)
      put.run(version, step.name, checksumOf(step))
    }
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

/** The steps that a file has run. A file that states a later version than it has steps counts as that version. */
function historyOf(db: DatabaseSync): readonly AppliedMigration[] {
  const hasHistory = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migration'").get()
  const rows = hasHistory === undefined ? [] : db.prepare('SELECT * FROM migration ORDER BY version').all()
  const history = rows.map(({ version, name, checksum }) => {
    return { version: Number(version), name: String(name), checksum: String(checksum) }
  })
  const later = Array.from({ length: Math.max(0, versionOf(db) - SCHEMA_VERSION) }, (_, i) => {
    return { version: SCHEMA_VERSION + i + 1, name: '', checksum: '' }
  })
  if (later.length === 0 || history.length > SCHEMA_VERSION) return history
  return [
    ...SQLITE_MIGRATIONS.map((one, i) => ({ version: i + 1, name: one.name, checksum: checksumOf(one) })),
    ...later,
  ]
}

function versionOf(db: DatabaseSync): number {
  return Number(db.prepare('PRAGMA user_version').get()?.user_version)
}
