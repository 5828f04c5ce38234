/** A map that forgets what was not used for the longest time, roughly, once it holds more than it may. */
export interface BoundedCache<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
}

/**
 * A cache of at most `maxWeight`, the sum of what `weigh` says of its values. It keeps two halves: what was used since they
 * were last turned over, and what was used before that. A hit in the younger half, the usual case, moves nothing.
 */
export function boundedCache<V>(maxWeight: number, weigh: (value: V) => number): BoundedCache<V> {
  let young = new Map<string, V>()
  let old = new Map<string, V>()
  let youngWeight = 0

  const set = (key: string, value: V): void => {
    const replaced = young.get(key)
    young.set(key, value)
    youngWeight += weigh(value) - (replaced === undefined ? 0 : weigh(replaced))
    if (youngWeight <= maxWeight / 2) return
    old = young
    young = new Map()
    youngWeight = 0
  }

  return {
    set,
    get(key) {
      const found = young.get(key)
      if (found !== undefined) return found
      const aged = old.get(key)
      if (aged !== undefined) set(key, aged)
      return aged
    },
  }
}
