import { randomUUID } from 'node:crypto'
import { KeyProviderError } from '../../../core/errors.ts'
import type { DynamoDbCondition } from './expressions.ts'
import type { DynamoDbItem, DynamoDbKey } from './items.ts'
import type { DynamoDbTable } from './table.ts'

/**
 * A write whose answer is lost is retried by the SDK, and then rejected because it was already done. A copy of a write
 * that the network delayed can arrive after later writes. A writer that must know whether a write was its own, or that
 * overwrites an item, therefore leaves a unique mark.
 */

/** Like `put` with a condition, but also true for a write that was done although its answer was lost. */
export async function putOnce(table: DynamoDbTable, item: DynamoDbItem, condition: DynamoDbCondition) {
  const mark = randomUUID()
  return (await table.put({ ...item, mark }, condition)) || (await isMarked(table, item, mark))
}

/** Like `update` with a condition, but also true for a write that was done although its answer was lost. */
export async function updateOnce(
  table: DynamoDbTable,
  key: DynamoDbKey,
  change: Omit<DynamoDbItem, 'pk' | 'sk'>,
  condition: DynamoDbCondition,
): Promise<boolean> {
  const mark = randomUUID()
  return (await table.update(key, { ...change, mark }, condition)) || (await isMarked(table, key, mark))
}

/** The number of retries after other writers won. */
const TRIES = 10

/**
 * Overwrites an item. A late copy of this write changes nothing, because the mark that it replaces no longer exists.
 */
export async function replaceItem(table: DynamoDbTable, item: DynamoDbItem): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const standing = await table.get(item)
    if (await putOnce(table, item, asRead(standing))) return
  }
  throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'one item of the table is being written by many callers: retry')
}

function asRead(standing: DynamoDbItem | undefined): DynamoDbCondition {
  if (standing === undefined) return { absent: ['pk'] }
  const { mark } = standing
  return typeof mark === 'string' ? { equal: { mark } } : { present: ['pk'], absent: ['mark'] }
}

async function isMarked(table: DynamoDbTable, key: DynamoDbKey, mark: string): Promise<boolean> {
  return (await table.get(key))?.mark === mark
}
