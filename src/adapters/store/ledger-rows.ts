import type { LedgerRecord } from '../../keys/ports/ledger-store.ts'
import { type Row, toNumber, toText } from './rows.ts'

/** A record of the ledger as it is kept beside its `keep_until`. */
export function toLedgerJson({ keepUntil, ...record }: LedgerRecord): string {
  return JSON.stringify(record)
}

export function toLedgerRecord(row: Row): LedgerRecord {
  const { periodIndex, periodStart, periodEnd, ...record } = JSON.parse(toText(row.record)) as LedgerRecord
  // JSON leaves out what is undefined.
  return { ...record, periodIndex, periodStart, periodEnd, keepUntil: toNumber(row.keep_until) }
}
