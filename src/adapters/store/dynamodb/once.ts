import { randomUUID } from 'node:crypto'
import { KeyProviderError } from '../../../core/errors.ts'
import type { DynamoDbCondition } from './expressions.ts'
import type { DynamoDbItem, DynamoDbKey } from './items.ts'
import type { DynamoDbTable } from './table.ts'

/*
 * A write whose answer is lost is tried again by the SDK, and refused then because it was done already; a copy of a write that the
 * network kept may arrive after later ones. So whoever has to know whether a write was its own, and whoever writes over what
 * stands, leaves a mark that nobody else has.
 */

/** As `put` with a condition; true also for a write that was done although its answer was lost. */
export async function putOnce(table: DynamoDbTable, item: DynamoDbItem, condition: DynamoDbCondition) {
  const mark = randomUUID()
  return (await table.put({ ...item, mark }, condition)) || (await isMarked(table, item, mark))
}

/** As `update` with a condition; true also for a write that was done although its answer was lost. */
export async function updateOnce(
  table: DynamoDbTable,
  key: DynamoDbKey,
  change: Omit<DynamoDbItem, 'pk' | 'sk'>,
  condition: DynamoDbCondition,
): Promise<boolean> {
  const mark = randomUUID()
  return (await table.update(key, { ...change, mark }, condition)) || (await isMarked(table, key, mark))
}

/** How often a write is tried again because of others. */
const TRIES = 10

/** Puts an item over whatever stands. A copy of this write that arrives late changes nothing: the mark that it was to replace is gone. */
export async function replaceItem(table: DynamoDbTable, item: DynamoDbItem): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    const standing = await table.get(item)
    if (await putOnce(table, item, asRead(standing))) return
  }
  throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'one item of the table is written by many at once: ask again')
}

function asRead(standing: DynamoDbItem | undefined): DynamoDbCondition {
  if (standing === undefined) return { absent: ['pk'] }
  const { mark } = standing
  return typeof mark === 'string' ? { equal: { mark } } : { present: ['pk'], absent: ['mark'] }
}

async function isMarked(table: DynamoDbTable, key: DynamoDbKey, mark: string): Promise<boolean> {
  return (await table.get(key))?.mark === mark
}
