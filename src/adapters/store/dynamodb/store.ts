import type { ClientStore } from '../../../auth/clients/client.ts'
import type { ContentStore, LifeStore } from '../../../keys/ports/content-store.ts'
import type { LedgerStore, RecentPeriods } from '../../../keys/ports/ledger-store.ts'
import type { StoreMaintenance } from '../../../keys/ports/maintenance-store.ts'
import type { ManageStore } from '../../../operations/ports/store.ts'
import { dynamoDbCatalogue, dynamoDbDocuments } from './catalogue.ts'
import { dynamoDbContents } from './contents.ts'
import { dynamoDbDataKeys } from './data-keys.ts'
import { dynamoDbIssued } from './issued.ts'
import { dynamoDbLedger } from './ledger.ts'
import { dynamoDbLife } from './life.ts'
import { dynamoDbMaintenance } from './maintenance.ts'
import { dynamoDbRecentPeriods } from './recent.ts'
import { countHeadsSealedBy, dynamoDbClients, dynamoDbRecords } from './records.ts'
import { type DynamoDbTable, type DynamoDbTableOptions, openDynamoDbTable } from './table.ts'
import { dynamoDbWrites } from './writes.ts'

export interface DynamoDbStoreOptions extends DynamoDbTableOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /**
   * Milliseconds between the expiry of a content and the time from which it reads as destroyed and DynamoDB may delete
   * its secret. Longer than any grace period of the retention rules.
   */
  readonly graceMs: number
  /** Milliseconds that a data key must rest before its removal, so that no write with it is in flight. */
  readonly settleMs?: number
}

export type DynamoDbStore = ContentStore &
  LedgerStore &
  RecentPeriods &
  ClientStore &
  LifeStore &
  StoreMaintenance &
  ManageStore

/**
 * A store in one DynamoDB table, for functions and for nodes without a database of their own. It uses conditional puts
 * and consistent reads, no transactions. It needs dynamodb:GetItem, BatchGetItem, Query, PutItem, UpdateItem and
 * DeleteItem on the table, and Scan for sweeps and maintenance.
 */
export async function openDynamoDbStore(options: DynamoDbStoreOptions): Promise<DynamoDbStore> {
  const { timeoutMs = 3_000, settleMs = 2 * timeoutMs } = options
  return dynamoDbStore(await openDynamoDbTable({ ...options, timeoutMs }), { ...options, settleMs })
}

/** The store on an open table. */
export function dynamoDbStore(
  table: DynamoDbTable,
  { now, graceMs, settleMs }: Required<Pick<DynamoDbStoreOptions, 'now' | 'graceMs' | 'settleMs'>>,
): DynamoDbStore {
  const clients = dynamoDbClients(table)
  const countOthers = async (tenant: string, generation: number): Promise<number> =>
    (await clients.countSealedBy(tenant, generation)) + (await countHeadsSealedBy(table, tenant, generation))
  const isNeeded = async (tenant: string, generation: number) => (await countOthers(tenant, generation)) > 0
  const dataKeys = dynamoDbDataKeys({ table, now, settleMs, isNeeded })
  const contents = dynamoDbContents({ table, now, graceMs })
  const life = dynamoDbLife({ table, now, graceMs, contents })
  const writes = dynamoDbWrites({ table, contents, life, dataKeys })
  const { claim: _claim, confirm: _confirm, ...storedDataKeys } = dataKeys
  const { change: _change, mayErase: _mayErase, putTombstone: _putTombstone, ...lifeStore } = life
  return {
    ...lifeStore,
    ...storedDataKeys,
    ...writes,
    ...dynamoDbLedger(table, dynamoDbIssued({ table, now })),
    ...dynamoDbRecentPeriods(table),
    ...dynamoDbDocuments(table, contents, writes),
    ...dynamoDbCatalogue(table, contents),
    ...dynamoDbRecords(table, dataKeys),
    ...dynamoDbMaintenance({ table, dataKeys, countOthers, life }),
    listClients: clients.listClients,
    putClient: (registered) => clients.putClient(registered, dataKeys),
    removeClient: clients.removeClient,
    close: table.close,
  }
}
