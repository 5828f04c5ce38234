import { type RecentPeriod, type RecentPeriods, type Span, toRecentPeriod } from '../../../keys/ports/ledger-store.ts'
import { toText } from '../rows.ts'
import { type DynamoDbItem, type DynamoDbKey, hashOf } from './items.ts'
import type { DynamoDbTable } from './table.ts'

const HOUR_MS = 3_600_000
/** A partition takes 1,000 writes a second. The periods of an hour are spread over this many partitions. */
const SHARDS = '0123456789abcdef'
const HOUR_DIGITS = 9
const TIME_DIGITS = 15
const KEPT_SECONDS = 2 * 86_400

/**
 * The entry of a period in the list of new periods, so that no search has to scan the table. Its `ttl` deletes it. It
 * has no keys: those are in the period's own item.
 */
export function recentItemOf(record: RecentPeriod): DynamoDbItem {
  const ttl = Math.ceil(record.firstAt / 1_000) + KEPT_SECONDS
  return { ...recentKeyOf(record), recent: JSON.stringify(toRecentPeriod(record)), ttl }
}

export function recentKeyOf({ tenant, contentId, periodId, firstAt }: RecentPeriod): DynamoDbKey {
  const id = hashOf(JSON.stringify([tenant, contentId, periodId]))
  return { pk: partitionOf(firstAt, id.charAt(0)), sk: `${timeOf(firstAt)} ${id}` }
}

export function dynamoDbRecentPeriods(table: DynamoDbTable): RecentPeriods {
  return {
    async listRecent(span, after, limit) {
      const from = after === undefined ? undefined : (JSON.parse(after) as DynamoDbKey)
      const periods: RecentPeriod[] = []
      for (const pk of partitionsOf(span)) {
        if (from !== undefined && pk < from.pk) continue
        const place = from?.pk === pk ? from : { pk, sk: timeOf(span.since) }
        for await (const page of table.query(pk, '', place)) {
          for (const item of page) {
            if (item.sk >= timeOf(span.until)) continue
            periods.push(toPeriod(item))
            if (periods.length === limit) return { periods, next: JSON.stringify({ pk, sk: item.sk }) }
          }
        }
      }
      return { periods, next: undefined }
    },
  }
}

function partitionsOf({ since, until }: Span): readonly string[] {
  const [first, last] = [Math.floor(since / HOUR_MS), Math.floor(until / HOUR_MS)]
  return Array.from({ length: last - first + 1 }, (_, i) =>
    [...SHARDS].map((shard) => partitionOf((first + i) * HOUR_MS, shard)),
  ).flat()
}

function partitionOf(time: number, shard: string): string {
  return `recent ${String(Math.floor(time / HOUR_MS)).padStart(HOUR_DIGITS, '0')} ${shard}`
}

function timeOf(time: number): string {
  return String(time).padStart(TIME_DIGITS, '0')
}

const ABSENT = { periodIndex: undefined, periodStart: undefined, periodEnd: undefined }

function toPeriod({ recent }: DynamoDbItem): RecentPeriod {
  // JSON omits undefined members.
  return { ...ABSENT, ...(JSON.parse(toText(recent)) as RecentPeriod) }
}
