import type { Config } from '../../server/config/config.ts'
import type { Severity } from '../../toolkit/rules/rule.ts'
import type { World } from '../shared/world.ts'

/** A finding of a check: one sentence, and how to fix the problem if there is one. */
export interface HealthFinding {
  readonly check: string
  readonly health: 'ok' | Severity
  readonly found: string
  readonly fix?: string
}

/** What the checks look at, and what they learn for later checks. */
export interface Examination {
  readonly config: Config
  readonly world: World
  /** Milliseconds since 1970, by the clock of this machine. */
  readonly now: () => number
  /** The times of other machines, from their answers. */
  readonly remoteTimes: RemoteTime[]
}

/** The time of another machine, and the clock of this machine before the request and after the answer. */
export interface RemoteTime {
  readonly from: string
  readonly at: number
  readonly askedAt: number
  readonly answeredAt: number
}

/** One check. To add a check, write a file and a line in `doctor.ts`. The doctor reports a thrown error as a finding. */
export type HealthCheck = (examination: Examination) => Promise<readonly HealthFinding[]>

/** A finding without a problem. */
export function fine(check: string, found: string): HealthFinding {
  return { check, health: 'ok', found }
}

const DAY_MS = 86_400_000
const WARN_DAYS = 30
const FAIL_DAYS = 7

interface ExpiryOptions {
  readonly check: string
  /** What expires, as the start of a sentence. */
  readonly what: string
  /** Milliseconds since 1970. */
  readonly notAfter: number
  readonly now: number
  readonly fix: string
}

/** The finding for something that expires: an error from 7 days before, a warning from 30 days before. */
export function expiryFinding({ check, what, notAfter, now, fix }: ExpiryOptions): HealthFinding {
  const days = Math.floor((notAfter - now) / DAY_MS)
  const date = new Date(notAfter).toISOString().slice(0, 10)
  if (notAfter <= now) return { check, health: 'error', found: `${what} expired on ${date}`, fix }
  if (days >= WARN_DAYS) return fine(check, `${what} is valid until ${date}`)
  const health = days < FAIL_DAYS ? 'error' : 'warning'
  return { check, health, found: `${what} expires on ${date}, in ${days} days`, fix }
}
