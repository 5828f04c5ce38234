interface BoundedCacheOptions<V> {
  /** The most bytes that the entries take together, by the measure of `sizeOf`. */
  readonly maxBytes: number
  /** The size of a value in memory, in bytes, without its key. Measured when the value is set. */
  readonly sizeOf: (value: V) => number
}

/** The bytes of an entry in addition to its key and its value: the slot of the map, the objects and the string header. */
const ENTRY_BYTES = 128

/**
 * A cache that is bounded in bytes. Every cache of the process is one, so that no caller can fill the memory.
 *
 * It has two generations: a full young generation becomes the old one, and the unused entries of the former old one are
 * dropped. So it keeps at least the entries that were used within the last `maxBytes / 2`, it never takes more than
 * `maxBytes`, and each operation takes constant time. An entry of more than `maxBytes / 2` is not kept.
 */
export class BoundedCache<V> {
  readonly #maxBytes: number
  readonly #sizeOf: (value: V) => number
  #young = new Map<string, Entry<V>>()
  #old = new Map<string, Entry<V>>()
  #youngBytes = 0
  #oldBytes = 0

  constructor({ maxBytes, sizeOf }: BoundedCacheOptions<V>) {
    this.#maxBytes = maxBytes
    this.#sizeOf = sizeOf
  }

  /** The size of all entries, in bytes: at most `maxBytes`. */
  get bytes(): number {
    return this.#youngBytes + this.#oldBytes
  }

  /** The value of a key; undefined if the cache does not have it, or no longer. */
  get(key: string): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young.value
    const old = this.#old.get(key)
    if (old === undefined) return undefined
    this.#old.delete(key)
    this.#oldBytes -= old.bytes
    this.#add(key, old)
    return old.value
  }

  set(key: string, value: V): void {
    this.delete(key)
    // Two bytes a character of the key, as V8 stores text beyond Latin-1.
    const bytes = ENTRY_BYTES + 2 * key.length + this.#sizeOf(value)
    if (bytes <= this.#maxBytes / 2) this.#add(key, { value, bytes })
  }

  delete(key: string): void {
    this.#youngBytes -= this.#young.get(key)?.bytes ?? 0
    this.#oldBytes -= this.#old.get(key)?.bytes ?? 0
    this.#young.delete(key)
    this.#old.delete(key)
  }

  #add(key: string, entry: Entry<V>): void {
    if (this.#youngBytes + entry.bytes > this.#maxBytes / 2) {
      this.#old = this.#young
      this.#oldBytes = this.#youngBytes
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(key, entry)
    this.#youngBytes += entry.bytes
  }
}

interface Entry<V> {
  readonly value: V
  readonly bytes: number
}
