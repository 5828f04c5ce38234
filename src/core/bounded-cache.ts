/** A cache bounded by the sum of its entries' sizes. */
export interface BoundedCache<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
}

/**
 * A cache in two generations: what was used since the last turn is kept, the rest goes at the next. It never holds more than
 * `maxSize` by the measure of `sizeOf`, and each operation takes the same short time whatever it holds.
 */
export function boundedCache<V>(maxSize: number, sizeOf: (value: V, key: string) => number): BoundedCache<V> {
  let young = new Map<string, V>()
  let old = new Map<string, V>()
  let youngSize = 0
  const put = (key: string, value: V): void => {
    const size = sizeOf(value, key)
    const replaced = young.get(key)
    if (replaced !== undefined) youngSize -= sizeOf(replaced, key)
    young.delete(key)
    old.delete(key)
    if (size > maxSize / 2) return
    if (youngSize + size > maxSize / 2) {
      old = young
      young = new Map()
      youngSize = 0
    }
    young.set(key, value)
    youngSize += size
  }
  return {
    get(key) {
      const value = young.get(key)
      if (value !== undefined) return value
      const kept = old.get(key)
      if (kept === undefined) return undefined
      put(key, kept)
      return kept
    },
    set: put,
  }
}
