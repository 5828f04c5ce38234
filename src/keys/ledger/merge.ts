import type { LedgerKey, LedgerRecord } from '../ports/ledger-store.ts'

/** Merges two records of the same key period. The later record describes the period; the keys are those of both. */
export function mergeLedgerRecords(a: LedgerRecord, b: LedgerRecord): LedgerRecord {
  const [earlier, later] = a.lastAt <= b.lastAt ? [a, b] : [b, a]
  return {
    ...later,
    keys: mergeKeys(earlier.keys, later.keys),
    firstAt: Math.min(a.firstAt, b.firstAt),
    lastAt: later.lastAt,
    requests: a.requests + b.requests,
  }
}

/** A string that identifies a key of the ledger within a content: a kid may be issued in both classes. */
export function ledgerKeyId({ kid, contentKeyClass }: Pick<LedgerKey, 'kid' | 'contentKeyClass'>): string {
  return `${contentKeyClass}:${kid}`
}

function mergeKeys(earlier: readonly LedgerKey[], later: readonly LedgerKey[]): readonly LedgerKey[] {
  if (earlier === later) return later
  const merged = new Map(earlier.map((key) => [ledgerKeyId(key), key]))
  for (const key of later) {
    const known = merged.get(ledgerKeyId(key))
    merged.set(ledgerKeyId(key), known === undefined ? key : mergeKey(known, key))
  }
  return [...merged.values()]
}

function mergeKey(earlier: LedgerKey, later: LedgerKey): LedgerKey {
  return {
    ...later,
    intendedTrackTypes: union(earlier.intendedTrackTypes, later.intendedTrackTypes),
    systemIds: union(earlier.systemIds, later.systemIds),
  }
}

function union<T>(a: readonly T[], b: readonly T[]): readonly T[] {
  return [...new Set([...a, ...b])]
}
