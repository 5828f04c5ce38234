import { BoundedCache } from '../../core/bounded-cache.ts'

interface Sample {
  tokens: number
  at: number
  suppressed: number
}

/** Lines of one kind that are written at once, and per second after that. */
const BURST = 20
const PER_SECOND = 1
/** The same for all kinds together: a sender can have many addresses. */
const TOTAL_BURST = 1_000
const TOTAL_PER_SECOND = 50
const MAX_BYTES = 4 * 1024 * 1024

/** Limits log lines that strangers cause, by kind: the address of the peer and the error code. */
export class LogSamples {
  readonly #now: () => number
  readonly #byKind = new BoundedCache<Sample>({ maxBytes: MAX_BYTES, sizeOf: () => 64 })
  readonly #total: Sample

  /** `now` returns milliseconds of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now
    this.#total = { tokens: TOTAL_BURST, at: now(), suppressed: 0 }
  }

  /** The number of lines of this kind that were suppressed since the last one; undefined: suppress this one too. */
  take(kind: string): number | undefined {
    const at = this.#now()
    const sample = this.#byKind.get(kind) ?? { tokens: BURST, at, suppressed: 0 }
    refill(sample, at, BURST, PER_SECOND)
    refill(this.#total, at, TOTAL_BURST, TOTAL_PER_SECOND)
    this.#byKind.set(kind, sample)
    if (sample.tokens < 1 || this.#total.tokens < 1) {
      sample.suppressed++
      return undefined
    }
    sample.tokens--
    this.#total.tokens--
    const { suppressed } = sample
    sample.suppressed = 0
    return suppressed
  }
}

function refill(sample: Sample, at: number, burst: number, perSecond: number): void {
  sample.tokens = Math.min(burst, sample.tokens + ((at - sample.at) / 1_000) * perSecond)
  sample.at = at
}
