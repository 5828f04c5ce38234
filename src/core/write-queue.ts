/** Runs `task` once after `ms` milliseconds; the result cancels it. */
export type Schedule = (task: () => void, ms: number) => () => void

/** A timer that does not keep the process alive. */
export const scheduleTimeout: Schedule = (task, ms) => {
  const timer = setTimeout(task, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

export interface WriteQueueOptions<T> {
  /** Writes items, the oldest first. */
  readonly write: (items: readonly T[]) => Promise<void>
  /** How long an item waits at most before it is written, and how long the queue waits after a failure, in milliseconds. */
  readonly delayMs: number
  /** How many items may wait. */
  readonly maxItems: number
  /** How many items are written together, so that other writes can run in between. */
  readonly maxBatch: number
  /** Items with the same name are one item; without it, every item is its own. */
  readonly nameOf?: (item: T) => string
  /** Joins two items of the same name; without it the newer item replaces the older one. */
  readonly join?: (older: T, newer: T) => T
  /** Receives the error of a failed write and everything that waits. Returns the items to try again. */
  readonly onFailure: (error: unknown, waiting: readonly T[]) => readonly T[]
  /** Receives items that are never written: the queue was full or closed, or could not be written when it was closed. */
  readonly onLoss: (items: readonly T[]) => void
  readonly schedule?: Schedule | undefined
}

/**
 * Writes items later and many at a time; one write runs at a time. The number of items is bounded, and lost items are
 * reported. Items that a failed write leaves are written later.
 */
export class WriteQueue<T> {
  readonly #options: WriteQueueOptions<T>
  #waiting = new Map<string, T>()
  /** The items of the write under way. */
  #batch = new Map<string, T>()
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> | undefined
  #isUrgent = false
  #isClosed = false
  #count = 0

  constructor(options: WriteQueueOptions<T>) {
    this.#options = options
  }

  /** How many items wait, those of the write under way included. */
  get size(): number {
    return this.#waiting.size + this.#batch.size
  }

  /** Whether the queue accepts another item, whatever its name. */
  get hasRoom(): boolean {
    return !this.#isClosed && this.size < this.#options.maxItems
  }

  /** Adds an item, to be written within `delayMs`. Returns false, and reports the loss, if it cannot wait. Never throws. */
  add(item: T): boolean {
    const { nameOf, onLoss } = this.#options
    const name = nameOf === undefined ? String(this.#count++) : nameOf(item)
    const older = this.#waiting.get(name)
    if (this.#isClosed || (older === undefined && !this.hasRoom)) {
      onLoss([item])
      return false
    }
    this.#waiting.set(name, older === undefined ? item : this.#joined(older, item))
    this.#startTimer()
    return true
  }

  /** Adds an item, to be written as soon as the write under way is done. Returns false if it cannot wait. */
  addUrgent(item: T): boolean {
    if (!this.add(item)) return false
    this.#isUrgent = true
    // Items that are added at the same time are written together.
    queueMicrotask(() => void this.flush())
    return true
  }

  /** The waiting item of a name; undefined if none waits, or if it is being written. */
  find(name: string): T | undefined {
    return this.#waiting.get(name)
  }

  /** Resolves when what waited at the start of the write is written, or a write failed. Never rejects. */
  flush(): Promise<void> {
    this.#stopTimer()
    this.#running ??= this.#writeAll().finally(() => {
      this.#running = undefined
      if (this.#isUrgent) void this.flush()
      else if (this.#waiting.size > 0) this.#startTimer()
    })
    return this.#running
  }

  /** Accepts nothing more, writes what is left, and reports what cannot be written. */
  async close(): Promise<void> {
    this.#isClosed = true
    while (this.#running !== undefined) await this.#running
    if (this.#waiting.size > 0) await this.flush()
    this.#stopTimer()
    const lost = [...this.#waiting.values()]
    this.#waiting.clear()
    if (lost.length > 0) this.#options.onLoss(lost)
  }

  async #writeAll(): Promise<void> {
    const { write, maxBatch, onFailure } = this.#options
    try {
      do {
        this.#isUrgent = false
        // Items that come meanwhile wait for their own time, so that they can be joined.
        for (let left = this.#waiting.size; left > 0; left -= this.#batch.size) {
          await write(this.#takeBatch(Math.min(maxBatch, left)))
        }
        this.#batch = new Map()
      } while (this.#isUrgent)
    } catch (error) {
      this.#isUrgent = false
      const all = this.#batch
      this.#batch = new Map()
      for (const [name, item] of this.#waiting) {
        const older = all.get(name)
        all.set(name, older === undefined ? item : this.#joined(older, item))
      }
      const kept = new Set(onFailure(error, [...all.values()]))
      this.#waiting = new Map([...all].filter(([, item]) => kept.has(item)))
    }
  }

  #takeBatch(size: number): readonly T[] {
    this.#batch = new Map()
    for (const [name, item] of this.#waiting) {
      if (this.#batch.size === size) break
      this.#batch.set(name, item)
      this.#waiting.delete(name)
    }
    return [...this.#batch.values()]
  }

  #joined(older: T, newer: T): T {
    return this.#options.join?.(older, newer) ?? newer
  }

  #startTimer(): void {
    const { schedule = scheduleTimeout, delayMs } = this.#options
    if (this.#isClosed || this.#running !== undefined) return
    this.#cancelTimer ??= schedule(() => {
      this.#cancelTimer = undefined
      void this.flush()
    }, delayMs)
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}
