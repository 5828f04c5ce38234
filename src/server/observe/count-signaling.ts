import { DRM_SYSTEMS } from '../../formats/drm/facts.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { Metrics } from './metrics.ts'

/** Counts the keys of an answer by the DRM systems they were signalled in, from what the ledger is told of it. */
export function countSignaling(metrics: Metrics): (entries: readonly LedgerEntry[]) => void {
  // An answer that is given again comes with the same object.
  const counted = new WeakMap<readonly LedgerEntry[], ReadonlyMap<string, number>>()
  return (entries) => {
    let counts = counted.get(entries)
    if (counts === undefined) {
      counts = countsOf(entries)
      counted.set(entries, counts)
    }
    for (const [system, keys] of counts) metrics.drmSignaling(system, keys)
  }
}

function countsOf(entries: readonly LedgerEntry[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { keys } of entries) {
    for (const { systemIds } of keys) {
      for (const systemId of systemIds) {
        // The names of the configuration's own systems are the operator's text.
        const system = DRM_SYSTEMS.get(systemId)?.name ?? 'other'
        counts.set(system, (counts.get(system) ?? 0) + 1)
      }
    }
  }
  return counts
}
