import type { Kid } from '../../../formats/cenc.ts'
import { ledgerKeyId, mergeLedgerRecords } from '../../../keys/ledger/ledger.ts'
import type { ContentRef } from '../../../keys/ports/content-ref.ts'
import {
  type IssuedKid,
  type LedgerRecord,
  type LedgerStore,
  type RecentPeriods,
  toRecentPeriod,
} from '../../../keys/ports/ledger-store.ts'
import { newestFirst, periodsOfKid } from '../rows.ts'
import { byKid, type MemoryContents, overrideId } from './contents.ts'

interface Content {
  readonly periods: Map<string, LedgerRecord>
  /** The ledgerKeyIds of all periods of the content. */
  keys: Set<string>
}

/** The ledger in memory. */
export function memoryLedgerStore(stored: MemoryContents): Omit<LedgerStore, 'close'> & RecentPeriods {
  const contents = new Map<string, Content>()
  let completeSince = 0
  const addIssued = (ref: ContentRef, issued: readonly IssuedKid[]): void => {
    const content = stored.find(ref)
    if (content === undefined || content.tombstone !== undefined) return
    for (const { kid, contentKeyClass } of issued) {
      content.issued.set(overrideId({ kid, contentKeyClass }), { kid, contentKeyClass })
    }
  }

  return {
    async record(records) {
      const conflicts: (ContentRef & { readonly kid: Kid })[] = []
      for (const record of records) {
        const { tenant, contentId, periodId } = record
        addIssued(record, record.keys)
        const content: Content = contents.get(idOf(record)) ?? { periods: new Map(), keys: new Set() }
        contents.set(idOf(record), content)
        for (const { kid, contentKeyClass } of record.keys) {
          const id = ledgerKeyId({ kid, contentKeyClass })
          const other = ledgerKeyId({ kid, contentKeyClass: contentKeyClass === 'clear' ? 'drm' : 'clear' })
          if (content.keys.has(other) && !content.keys.has(id)) conflicts.push({ tenant, contentId, kid })
          content.keys.add(id)
        }
        const standing = content.periods.get(periodId)
        content.periods.set(periodId, standing === undefined ? record : mergeLedgerRecords(standing, record))
      }
      return conflicts
    },

    async findByKid(tenant, kid, query) {
      const records = [...contents.values()]
        .flatMap(({ periods }) => [...periods.values()])
        .filter((record) => record.tenant === tenant && record.keys.some((key) => key.kid === kid))
      return periodsOfKid(records, kid, query)
    },

    async findByContent(ref, limit) {
      return [...(contents.get(idOf(ref))?.periods.values() ?? [])].sort(newestFirst).slice(0, limit)
    },

    async findIssued(ref, kids) {
      const wanted = new Set(kids)
      const issued = [...(stored.find(ref)?.issued.values() ?? [])].filter(({ kid }) => wanted.has(kid))
      return { issued: issued.sort(byKid), completeSince }
    },

    async listIssued(ref, after, limit) {
      const issued = [...(stored.find(ref)?.issued.values() ?? [])].sort(byKid)
      return issued.filter((one) => after === undefined || byKid(one, after) > 0).slice(0, limit)
    },

    putIssued: async (ref, issued) => addIssued(ref, issued),

    async putCompleteSince(at) {
      completeSince = Math.max(completeSince, at)
    },

    async listRecent({ since, until }, after, limit) {
      const [time = since, id = ''] = after === undefined ? [] : (JSON.parse(after) as [number, string])
      const found = [...contents.values()]
        .flatMap(({ periods }) => [...periods.values()])
        .filter(({ periodId, firstAt }) => periodId !== '' && firstAt >= since && firstAt < until)
        .map((record) => ({ record, id: JSON.stringify([record.tenant, record.contentId, record.periodId]) }))
        .filter((one) => one.record.firstAt > time || (one.record.firstAt === time && one.id > id))
        .sort((a, b) => a.record.firstAt - b.record.firstAt || (a.id < b.id ? -1 : 1))
        .slice(0, limit)
      const last = found.length < limit ? undefined : found.at(-1)
      return {
        periods: found.map(({ record }) => toRecentPeriod(record)),
        next: last && JSON.stringify([last.record.firstAt, last.id]),
      }
    },

    async prune(now, limit) {
      let pruned = 0
      const isOver = ({ keepUntil }: LedgerRecord): boolean => keepUntil !== undefined && keepUntil < now
      for (const [id, content] of contents) {
        const old = [...content.periods.values()].filter(isOver).slice(0, limit - pruned)
        if (old.length === 0) continue
        for (const { periodId } of old) content.periods.delete(periodId)
        pruned += old.length
        content.keys = new Set([...content.periods.values()].flatMap((record) => record.keys.map(ledgerKeyId)))
        if (content.periods.size === 0) contents.delete(id)
      }
      return pruned
    },
  }
}

const idOf = ({ tenant, contentId }: ContentRef): string => JSON.stringify([tenant, contentId])
