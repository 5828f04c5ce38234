import { KeyProviderError } from '../../core/errors.ts'
import { DRM_SYSTEMS } from '../../formats/drm/facts.ts'
import type { DataKeys } from '../../keys/crypto/data-keys.ts'
import type { LedgerEntry } from '../../keys/ledger/ledger.ts'
import type { RootKey } from '../../keys/ports/root-key.ts'
import type { Metrics } from './metrics.ts'

/** The code of an error as a label, from a closed set. */
export function codeLabel(error: unknown): string {
  return error instanceof KeyProviderError ? error.code : 'UNFORESEEN'
}

/** Takes the duration of a call that ended; `errorCode` is undefined for a successful one. */
type OnTimed = (durationMs: number, errorCode: string | undefined) => void

/** The same function, which reports its duration and the code of its failure. Its results and errors do not change. */
function timed<A extends unknown[], R>(call: (...values: A) => R, report: OnTimed): (...values: A) => R {
  return (...values) => {
    const startedAt = performance.now()
    const end = (error?: unknown): void =>
      report(performance.now() - startedAt, error === undefined ? undefined : codeLabel(error))
    try {
      const result = call(...values)
      if (result instanceof Promise) {
        result.then(
          () => end(),
          (error: unknown) => end(error ?? 'thrown'),
        )
      } else end()
      return result
    } catch (error) {
      end(error ?? 'thrown')
      throw error
    }
  }
}

/**
 * The same store, which measures each operation and counts failures by code. It takes a plain object, as every adapter makes
 * one: the names of its methods are the label.
 */
export function measuredStore<S extends object>(store: S, backend: string, metrics: Metrics): S {
  const measured = Object.entries(store).map(([op, member]) => [
    op,
    typeof member === 'function' && op !== 'close'
      ? timed(member.bind(store), (ms, code) => metrics.storeOperation(op, backend, ms, code))
      : member,
  ])
  return { ...store, ...Object.fromEntries(measured) }
}

/** The operations of a root key that may call KMS or Vault. */
const ROOT_KEY_OPERATIONS = ['wrap', 'unwrap', 'generate', 'rewrap'] as const

/** The same root key, which measures each operation and counts failures by code. */
export function measuredRootKey(rootKey: RootKey, provider: string, metrics: Metrics): RootKey {
  const measured = ROOT_KEY_OPERATIONS.flatMap((op) => {
    // A missing operation must stay missing: callers test for it.
    const call: ((...values: never[]) => unknown) | undefined = rootKey[op]?.bind(rootKey)
    return call === undefined
      ? []
      : [[op, timed(call, (ms, code) => metrics.rootKeyOperation(op, provider, ms, code))] as const]
  })
  return { ...rootKey, ...Object.fromEntries(measured) }
}

/** The same data keys, which count each lookup. */
export function measuredDataKeys(dataKeys: DataKeys, metrics: Metrics): DataKeys {
  return {
    current(...values) {
      metrics.dataKeyLookup()
      return dataKeys.current(...values)
    },
    find(...values) {
      metrics.dataKeyLookup()
      return dataKeys.find(...values)
    },
  }
}

/** Counts the keys of answers by the DRM systems of their signalling, from the entries for the ledger. */
export class SignalingCounter {
  // A repeated answer comes with the same object.
  readonly #counted = new WeakMap<readonly LedgerEntry[], ReadonlyMap<string, number>>()
  readonly #metrics: Pick<Metrics, 'drmSignaling'>

  constructor(metrics: Pick<Metrics, 'drmSignaling'>) {
    this.#metrics = metrics
  }

  count(entries: readonly LedgerEntry[]): void {
    const counts = this.#counted.get(entries) ?? keysBySystem(entries)
    this.#counted.set(entries, counts)
    for (const [system, keys] of counts) this.#metrics.drmSignaling(system, keys)
  }
}

function keysBySystem(entries: readonly LedgerEntry[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const systemId of entries.flatMap(({ keys }) => keys.flatMap(({ systemIds }) => systemIds))) {
    // The names of systems by template are text of the operator, not a closed set.
    const system = DRM_SYSTEMS.get(systemId)?.name ?? 'other'
    counts.set(system, (counts.get(system) ?? 0) + 1)
  }
  return counts
}
