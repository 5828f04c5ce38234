import { KeyProviderError } from '../../../core/errors.ts'
import type { Kid } from '../../../formats/cenc.ts'
import { ledgerKeyId, mergeLedgerRecords } from '../../../keys/ledger/ledger.ts'
import type { ContentRef, Tenant } from '../../../keys/ports/content-ref.ts'
import type { IssuedKidStore, LedgerKey, LedgerRecord, LedgerStore } from '../../../keys/ports/ledger-store.ts'
import { newestFirst, periodsOfKid, toText } from '../rows.ts'
import { type DynamoDbItem, type DynamoDbKey, hashOf, pack, unpack } from './items.ts'
import { recentItemOf, recentKeyOf } from './recent.ts'
import type { DynamoDbTable } from './table.ts'

type Conflict = ContentRef & { readonly kid: Kid }

const TRIES = 10
/** The number of contents, and of kids of one content, written concurrently. */
const AT_ONCE = 16
const DAY_MS = 86_400_000

/**
 * The ledger in the table: one item per period, and one per kid that names its periods. The kids and the entry in the
 * recent list are stored first; an entry without its period is skipped. All have a `ttl`, after which DynamoDB deletes
 * them; `prune` deletes them sooner.
 */
export function dynamoDbLedger(table: DynamoDbTable, issued: IssuedKidStore): Omit<LedgerStore, 'close'> {
  const recordOne = async (record: LedgerRecord): Promise<readonly Conflict[]> => {
    const key = periodKeyOf(record)
    for (let tries = 0; tries < TRIES; tries++) {
      const standing = await table.get(key)
      const before = standing && toRecord(standing)
      const merged = before === undefined ? record : mergeLedgerRecords(before, record)
      const [conflicts] = await Promise.all([
        putKids(merged, before),
        issued.putIssued(record, freshKeys(merged, before)),
        before === undefined && record.periodId !== '' ? table.put(recentItemOf(record)) : true,
      ])
      const revision = Number(standing?.revision ?? 0) + 1
      const asRead = standing === undefined ? { absent: ['pk'] } : { equal: { revision: revision - 1 } }
      if (await table.put({ ...key, ...toValues(merged), revision }, asRead)) return conflicts
    }
    throw new KeyProviderError('ERR_STORE_UNAVAILABLE', 'one period of the ledger is written by many at once')
  }

  /** Adds the period to its kids where it is missing. Returns the kids that were issued in both classes. */
  const putKids = async (record: LedgerRecord, before: LedgerRecord | undefined): Promise<readonly Conflict[]> => {
    const fresh = freshKeys(record, before)
    const isLonger = dayOf(record.keepUntil) !== dayOf(before?.keepUntil)
    const kids = [...new Set((isLonger ? record.keys : fresh).map(({ kid }) => kid))]
    const conflicts = await inTurns(kids, async (kid) => {
      const classes = record.keys.filter((one) => one.kid === kid).map((one) => one.contentKeyClass)
      const isFresh = fresh.some((one) => one.kid === kid)
      const seen = isFresh ? await classesOf(record, kid) : new Set(classes)
      const item = { classes: classes.join(), contentId: record.contentId, ttl: ttlOf(record.keepUntil, 2 * DAY_MS) }
      await table.put({ ...kidKeyOf(record, kid), ...item })
      const isTold = seen.size === 2
      return !isTold && new Set([...seen, ...classes]).size === 2
        ? [{ tenant: record.tenant, contentId: record.contentId, kid }]
        : []
    })
    return conflicts.flat()
  }

  /** The classes in which a kid of a content was issued so far. */
  const classesOf = async (ref: ContentRef, kid: Kid): Promise<ReadonlySet<string>> => {
    const classes = new Set<string>()
    for await (const page of table.query(kidPartition(ref.tenant, kid), `${hashOf(ref.contentId)} `)) {
      for (const item of page) for (const one of toText(item.classes).split(',')) classes.add(one)
    }
    return classes
  }

  const sortedPeriods = async (pages: AsyncIterable<readonly DynamoDbItem[]>): Promise<readonly LedgerRecord[]> => {
    const records: LedgerRecord[] = []
    for await (const page of pages) records.push(...page.map(toRecord))
    return records.sort(newestFirst)
  }

  return {
    ...issued,

    async record(records) {
      const merged = new Map<string, LedgerRecord>()
      for (const record of records) {
        const { pk, sk } = periodKeyOf(record)
        const standing = merged.get(pk + sk)
        merged.set(pk + sk, standing === undefined ? record : mergeLedgerRecords(standing, record))
      }
      const byContent = Map.groupBy(merged.values(), ledgerPartition)
      const conflicts = await inTurns([...byContent.values()], async (ofContent) => {
        const found: Conflict[] = []
        for (const record of ofContent) found.push(...(await recordOne(record)))
        return found
      })
      return conflicts.flat()
    },

    async findByKid(tenant, kid, query) {
      const keys: DynamoDbKey[] = []
      const contentId = query?.contentId
      const ofContent = contentId === undefined ? undefined : `${hashOf(contentId)} `
      for await (const page of table.query(kidPartition(tenant, kid), ofContent)) {
        for (const { sk, contentId: of } of page) {
          keys.push({ pk: ledgerPartition({ tenant, contentId: toText(of) }), sk: sk.split(' ')[1] ?? '' })
        }
      }
      const records = (await table.getMany(keys)).map(toRecord)
      return periodsOfKid(
        records.filter(({ keys: issued }) => issued.some((one) => one.kid === kid)),
        kid,
        query,
      )
    },

    findByContent: async (ref, limit) => (await sortedPeriods(table.query(ledgerPartition(ref)))).slice(0, limit),

    async prune(now, limit) {
      let pruned = 0
      if (limit <= 0) return pruned
      for await (const page of table.scan({ below: { keepUntil: now } })) {
        for (const item of page) {
          const record = toRecord(item)
          const kids = [...new Set(record.keys.map(({ kid }) => kid))]
          const isAsRead = { equal: { revision: Number(item.revision) } }
          if (!(await table.remove(item, isAsRead))) continue
          await inTurns(kids, (kid) => table.remove(kidKeyOf(record, kid)))
          if (record.periodId !== '') await table.remove(recentKeyOf(record))
          pruned++
          if (pruned === limit) return pruned
        }
      }
      return pruned
    },
  }
}

/** The keys of a period that were not recorded before. */
function freshKeys({ keys }: LedgerRecord, before: LedgerRecord | undefined): readonly LedgerKey[] {
  const known = new Set(before?.keys.map(ledgerKeyId))
  return keys.filter((one) => !known.has(ledgerKeyId(one)))
}

function ledgerPartition({ tenant, contentId }: ContentRef): string {
  return `ledger ${JSON.stringify([tenant, contentId])}`
}

function periodKeyOf(record: LedgerRecord): DynamoDbKey {
  return { pk: ledgerPartition(record), sk: hashOf(record.periodId) }
}

function kidPartition(tenant: Tenant, kid: Kid): string {
  return `kid ${JSON.stringify([tenant, kid])}`
}

function kidKeyOf({ tenant, contentId, periodId }: LedgerRecord, kid: Kid): DynamoDbKey {
  return { pk: kidPartition(tenant, kid), sk: `${hashOf(contentId)} ${hashOf(periodId)}` }
}

function toValues(record: LedgerRecord) {
  return { record: pack(JSON.stringify(record)), keepUntil: record.keepUntil, ttl: ttlOf(record.keepUntil) }
}

const ABSENT = { periodIndex: undefined, periodStart: undefined, periodEnd: undefined, keepUntil: undefined }

function toRecord({ record }: DynamoDbItem): LedgerRecord {
  // JSON omits undefined members.
  return { ...ABSENT, ...(JSON.parse(unpack(record)) as LedgerRecord) }
}

function ttlOf(keepUntil: number | undefined, more = 0): number | undefined {
  return keepUntil === undefined ? undefined : Math.ceil((keepUntil + more) / 1_000)
}

function dayOf(time: number | undefined): number | undefined {
  return time === undefined ? undefined : Math.floor(time / DAY_MS)
}

/** The results of `work`, with bounded concurrency. */
async function inTurns<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = []
  for (let at = 0; at < all.length; at += AT_ONCE) {
    results.push(...(await Promise.all(all.slice(at, at + AT_ONCE).map(work))))
  }
  return results
}
