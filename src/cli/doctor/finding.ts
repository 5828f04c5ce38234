import type { Config } from '../../server/config/config.ts'
import type { Severity } from '../../toolkit/rules/rule.ts'

/** What a check found: one sentence, and how to mend it where that is not fine. */
export interface HealthFinding {
  readonly check: string
  readonly health: 'ok' | Severity
  readonly found: string
  readonly mend?: string
}

/** What checks look at, and what they tell each other. */
export interface Examination {
  readonly config: Config
  /** Milliseconds since 1970, by the clock of this machine. */
  readonly now: () => number
  /** What others said the time is, as checks that reached them heard it. */
  readonly heard: HeardTime[]
}

/** The time of another machine, and the clock of this one when its answer began to be awaited and when it was there. */
export interface HeardTime {
  readonly from: string
  readonly at: number
  readonly askedAt: number
  readonly answeredAt: number
}

/** One part of an examination. To add one, write a file and a line in `doctor.ts`. What it throws is an error found. */
export type HealthCheck = (examination: Examination) => Promise<readonly HealthFinding[]>

/** A finding that needs nobody's attention. */
export function fine(check: string, found: string): HealthFinding {
  return { check, health: 'ok', found }
}
