import type { DatabaseSync } from 'node:sqlite'
import { KeyProviderError } from '../errors.ts'

/** The steps from an empty file to the present schema. A step that was released is never changed; a new one is added. */
const MIGRATIONS: readonly string[] = [
  `
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
]

/** The schema this version of keyspring writes. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** Brings the schema up to date, in one transaction. Throws ERR_STORE_SCHEMA_NEWER for that of a later version. */
export function migrate(db: DatabaseSync, file: string): void {
  if (versionOf(db, file) === SCHEMA_VERSION) return
  db.exec('BEGIN IMMEDIATE')
  try {
    // Another process may have been first.
    for (const step of MIGRATIONS.slice(versionOf(db, file))) db.exec(step)
    db.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`)
    db.exec('COMMIT')
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
}

function versionOf(db: DatabaseSync, file: string): number {
  const version = Number(db.prepare('PRAGMA user_version').get()?.user_version)
  if (version <= SCHEMA_VERSION) return version
  throw new KeyProviderError(
    'ERR_STORE_SCHEMA_NEWER',
    `the store ${file} has schema ${version}, and this keyspring knows up to ${SCHEMA_VERSION}: ` +
      'run the newer keyspring that wrote it, or restore a backup from before the upgrade',
  )
}
