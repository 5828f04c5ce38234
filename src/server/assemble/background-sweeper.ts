import { createSweeper, type Sweeper, type SweepReport } from '../../operations/lifetime/sweep.ts'
import type { Management } from '../../operations/management.ts'
import type { ContentRules } from '../config/content-rules.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import type { Metrics, SweepOutcome } from '../observe/metrics.ts'

interface BackgroundSweeperOptions {
  readonly management: Management
  readonly rules: Pick<ContentRules, 'shortestGraceMs'>
  readonly log: Log
  readonly metrics: Metrics
  /** From 0 to 1. */
  readonly random: () => number
}

const MINUTE_MS = 60_000
const OUTCOMES: readonly SweepOutcome[] = ['expired', 'destroyed', 'adopted', 'kept']

/** A sweeper that sweeps at intervals and reports each sweep to the metrics. */
export class BackgroundSweeper implements Sweeper {
  readonly #options: BackgroundSweeperOptions
  readonly #sweeper: Sweeper
  #running: Promise<SweepReport> | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: BackgroundSweeperOptions) {
    this.#options = options
    this.#sweeper = createSweeper(options.management, {
      shortestGraceMs: () => options.rules.shortestGraceMs,
      uptime: () => performance.now(),
    })
  }

  /** Sweeps about every `minutes`; 0: only when `sweep` is called. */
  startEvery(minutes: number): void {
    if (minutes === 0 || this.#isClosed) return
    // The nodes of a store must not all sweep at the same moment.
    const delay = minutes * MINUTE_MS * (0.8 + 0.4 * this.#options.random())
    this.#timer = setTimeout(() => void this.#sweepThenWait(minutes), delay)
    this.#timer.unref()
  }

  /** Sweeps, or joins the sweep in progress. Rejects if the store or the audit log fails. */
  sweep(): Promise<SweepReport> {
    this.#running ??= this.#measuredSweep().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  reviewAll(): void {
    this.#sweeper.reviewAll()
  }

  stop(): void {
    this.#sweeper.stop()
  }

  /** Ends the sweep in progress. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.stop()
    await this.#running?.catch(() => undefined)
  }

  async #sweepThenWait(minutes: number): Promise<void> {
    try {
      await this.sweep()
    } catch (error) {
      this.#options.log.error({ error: toLoggedError(error) }, 'expired contents could not be swept')
    }
    this.startEvery(minutes)
  }

  async #measuredSweep(): Promise<SweepReport> {
    const { metrics } = this.#options
    const startedAt = performance.now()
    try {
      const report = await this.#sweeper.sweep()
      for (const outcome of OUTCOMES) metrics.contentsSwept(outcome, report[outcome])
      metrics.ledgerPruned(report.forgottenPeriods)
      metrics.sweepDone(performance.now() - startedAt)
      return report
    } catch (error) {
      metrics.sweepFailed()
      throw error
    }
  }
}
