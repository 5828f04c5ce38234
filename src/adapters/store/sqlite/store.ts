import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { ClientStore } from '../../../auth/clients/client.ts'
import type { KeyProviderError } from '../../../core/errors.ts'
import type { ContentStore, LifeStore } from '../../../keys/ports/content-store.ts'
import type { LedgerStore, RecentPeriods } from '../../../keys/ports/ledger-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import type { ManageStore } from '../../../operations/ports/store.ts'
import { onEngine, storeUnavailable, toEngineError } from './error.ts'
import { sqliteLedgerReads, sqliteRecentReads } from './ledger.ts'
import { sqliteLifeReads } from './life.ts'
import { sqliteMaintenanceReads } from './maintenance.ts'
import { sqliteClientReads, sqliteManageReads } from './manage.ts'
import { openSqliteQueue } from './queue.ts'
import { sqliteReads } from './reads.ts'
import { migrate } from './schema.ts'

export interface SqliteStoreOptions {
  /** The file of the store. Its directory is created if its parent exists. */
  readonly file: string
  /** Whether to create a missing store. */
  readonly create?: boolean
  /** Milliseconds that a write waits for another process. */
  readonly busyTimeoutMs?: number
  /** The largest size of the file; by default as large as the disk allows. */
  readonly maxBytes?: number
  /** Called with the reason why the writer thread died, when its successor starts. */
  readonly onWriterRestart?: ((died: KeyProviderError) => void) | undefined
}

/** A read never waits long for another process, because it would stop the event loop. */
const READ_BUSY_TIMEOUT_MS = 100
const PAGE_SIZE = 4096
/** Commits survive a loss of power: each waits for the disk. Deleted data is overwritten. */
const PRAGMAS = 'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;'

/**
 * The embedded store: one SQLite file, read on this thread and written by a thread of its own. Other processes may use
 * the same file.
 */
export function openSqliteStore(
  options: SqliteStoreOptions,
): ContentStore & LedgerStore & RecentPeriods & ClientStore & StoreMaintenance & LifeStore & ManageStore {
  const { file, create = true, busyTimeoutMs = 5_000, maxBytes } = options
  prepareFile(file, create)
  const { db, reads, ledger, recent, upkeep, clients, life, manage } = onEngine(file, () =>
    openReader(file, busyTimeoutMs),
  )
  const limit = maxBytes === undefined ? '' : `PRAGMA max_page_count = ${Math.ceil(maxBytes / PAGE_SIZE)};`
  const queue = openSqliteQueue(
    { file, busyTimeoutMs, pragmas: PRAGMAS + limit },
    { onRestart: options.onWriterRestart },
  )
  let closing: Promise<void> | undefined

  return {
    findContent: async (ref, kids) => onEngine(file, () => reads.findContent(ref, kids)),
    listOverrides: async (ref) => onEngine(file, () => reads.listOverrides(ref)),
    findDataKeys: async (tenant) => onEngine(file, () => reads.findDataKeys(tenant)),
    sampleDataKeys: async () => onEngine(file, () => reads.sampleDataKeys()),
    findByKid: async (...values) => onEngine(file, () => ledger.findByKid(...values)),
    findByContent: async (ref, count) => onEngine(file, () => ledger.findByContent(ref, count)),
    findIssued: async (...values) => onEngine(file, () => ledger.findIssued(...values)),
    listIssued: async (...values) => onEngine(file, () => ledger.listIssued(...values)),
    listRecent: async (...values) => onEngine(file, () => recent(...values)),
    listContents: async (after, count) => onEngine(file, () => upkeep.listContents(after, count)),
    listDataKeys: async () => onEngine(file, () => upkeep.listDataKeys()),
    listClients: async () => onEngine(file, () => clients.listClients()),
    listExpired: async (...values) => onEngine(file, () => life.listExpired(...values)),
    findDocument: async (ref) => onEngine(file, () => manage.findDocument(ref)),
    searchContents: async (query) => onEngine(file, () => manage.searchContents(query)),
    findSummary: async (ref) => onEngine(file, () => manage.findSummary(ref)),
    listAuditHeads: async () => onEngine(file, () => manage.listAuditHeads()),

    putSecretIfAbsent: (...values) => queue.write('putSecretIfAbsent', ...values),
    putOverridesIfAbsent: (...values) => queue.write('putOverridesIfAbsent', ...values),
    replaceOverride: (...values) => queue.write('replaceOverride', ...values),
    removeOverride: (...values) => queue.write('removeOverride', ...values),
    putKidOverride: (...values) => queue.write('putKidOverride', ...values),
    removeKidOverride: (...values) => queue.write('removeKidOverride', ...values),
    putTombstone: (...values) => queue.write('putTombstone', ...values),
    putExpiry: (...values) => queue.write('putExpiry', ...values),
    putNextSecret: (...values) => queue.write('putNextSecret', ...values),
    putHold: (...values) => queue.write('putHold', ...values),
    destroyExpired: (...values) => queue.write('destroyExpired', ...values),
    listUnlimited: (...values) => queue.write('listUnlimited', ...values),
    putLife: (...values) => queue.write('putLife', ...values),
    putDocument: (...values) => queue.write('putDocument', ...values),
    putDocumentWithKeys: (...values) => queue.write('putDocumentWithKeys', ...values),
    beginWrite: (...values) => queue.write('beginWrite', ...values),
    endWrite: (...values) => queue.write('endWrite', ...values),
    forgetWrite: (...values) => queue.write('forgetWrite', ...values),
    pruneWrites: (...values) => queue.write('pruneWrites', ...values),
    putAuditHead: (...values) => queue.write('putAuditHead', ...values),
    putDataKeyIfAbsent: (...values) => queue.write('putDataKeyIfAbsent', ...values),
    record: (...values) => queue.write('record', ...values),
    prune: (...values) => queue.write('prune', ...values),
    putIssued: (...values) => queue.write('putIssued', ...values),
    putCompleteSince: (...values) => queue.write('putCompleteSince', ...values),
    rewrapDataKey: (...values) => queue.write('rewrapDataKey', ...values),
    removeDataKey: (...values) => queue.write('removeDataKey', ...values),
    reseal: (...values) => queue.write('reseal', ...values),
    putClient: (...values) => queue.write('putClient', ...values),
    removeClient: (...values) => queue.write('removeClient', ...values),
    countSeals: () => queue.write('countSeals'),
    checkWrites: () => queue.write('checkWrites'),

    close() {
      closing ??= queue.close().finally(() => db.close())
      return closing
    },
  }
}

function openReader(file: string, busyTimeoutMs: number) {
  const db = new DatabaseSync(file, { timeout: busyTimeoutMs })
  try {
    db.exec(PRAGMAS)
    migrate(db, file)
    db.exec(`PRAGMA busy_timeout = ${READ_BUSY_TIMEOUT_MS}; PRAGMA query_only = ON;`)
    return {
      db,
      reads: sqliteReads(db),
      ledger: sqliteLedgerReads(db),
      recent: sqliteRecentReads(db),
      upkeep: sqliteMaintenanceReads(db),
      clients: sqliteClientReads(db),
      life: sqliteLifeReads(db),
      manage: sqliteManageReads(db),
    }
  } catch (error) {
    db.close()
    throw error
  }
}

/** Creates the file, and its directory, with access for the owner only. SQLite gives its side files the same mode. */
function prepareFile(file: string, create: boolean): void {
  if (existsSync(file)) return
  try {
    if (!create) throw new Error('there is no such file')
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { mode: 0o700 })
    closeSync(openSync(file, 'ax', 0o600))
  } catch (error) {
    // Another process may just have created it.
    if (!existsSync(file)) throw storeUnavailable(file, { ...toEngineError(error), errcode: CANTOPEN }, error)
  }
}

const CANTOPEN = 14
