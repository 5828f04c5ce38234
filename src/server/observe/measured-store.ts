import type { Metrics } from './metrics.ts'
import { timed } from './timed.ts'

/**
 * The same store, each of its operations timed and its failures counted by their code. It takes a plain object, as every adapter
 * makes one: the names of its methods are the label.
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
