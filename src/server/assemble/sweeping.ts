import { createSweeper, type Sweeper, type SweepReport } from '../../operations/lifetime/sweep.ts'
import type { Management } from '../../operations/management.ts'
import type { ContentRules } from '../config/content-rules.ts'
import { type Log, toLoggedError } from '../observe/log.ts'
import type { Metrics, SweepOutcome } from '../observe/metrics.ts'

/** A sweeper that sweeps by itself, and is told of in the metrics. */
export interface Sweeping extends Sweeper {
  /** Sweeps every so many minutes; 0: not by itself. */
  startEvery(minutes: number): void
  /** Ends the sweep under way. */
  close(): Promise<void>
}

export interface SweepingOptions {
  readonly management: Management
  readonly rules: Pick<ContentRules, 'shortestGraceMs'>
  readonly log: Log
  readonly metrics: Metrics
  /** From 0 to 1. */
  readonly random: () => number
}

const MINUTE_MS = 60_000
const OUTCOMES: readonly SweepOutcome[] = ['expired', 'destroyed', 'adopted', 'kept']

export function createSweeping({ management, rules, log, metrics, random }: SweepingOptions): Sweeping {
  const sweeper = createSweeper(management, {
    shortestGraceMs: () => rules.shortestGraceMs,
    uptime: () => performance.now(),
  })
  let running: Promise<SweepReport> | undefined
  let timer: NodeJS.Timeout | undefined
  let isClosed = false

  const measured = async (): Promise<SweepReport> => {
    const startedAt = performance.now()
    try {
      const report = await sweeper.sweep()
      for (const outcome of OUTCOMES) metrics.contentsSwept(outcome, report[outcome])
      metrics.ledgerPruned(report.forgottenPeriods)
      metrics.sweepDone(performance.now() - startedAt)
      return report
    } catch (error) {
      metrics.sweepFailed()
      throw error
    }
  }
  const sweep = (): Promise<SweepReport> => {
    running ??= measured().finally(() => {
      running = undefined
    })
    return running
  }

  /** Not all nodes of a store at the same moment. */
  const later = (minutes: number): void => {
    if (isClosed) return
    timer = setTimeout(
      async () => {
        try {
          await sweep()
        } catch (error) {
          log.error({ error: toLoggedError(error) }, 'expired contents could not be swept')
        }
        later(minutes)
      },
      minutes * MINUTE_MS * (0.8 + 0.4 * random()),
    )
    timer.unref()
  }

  return {
    ...sweeper,
    sweep,
    startEvery(minutes) {
      if (minutes > 0) later(minutes)
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      sweeper.stop()
      await running?.catch(() => undefined)
    },
  }
}
