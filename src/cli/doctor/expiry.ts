import { fine, type HealthFinding } from './finding.ts'

const DAY_MS = 86_400_000
const SOON_DAYS = 30
const AT_ONCE_DAYS = 7

export interface ExpiryOptions {
  readonly check: string
  /** What expires, as the start of a sentence. */
  readonly what: string
  /** Milliseconds since 1970. */
  readonly notAfter: number
  readonly now: number
  readonly mend: string
  /** Whether nothing is said of what lasts. */
  readonly quiet?: boolean
}

/** What is to be said of something that expires. */
export function expiryFinding({
  check,
  what,
  notAfter,
  now,
  mend,
  quiet = false,
}: ExpiryOptions): readonly HealthFinding[] {
  const days = Math.floor((notAfter - now) / DAY_MS)
  const date = new Date(notAfter).toISOString().slice(0, 10)
  if (notAfter <= now) return [{ check, health: 'error', found: `${what} expired on ${date}`, mend }]
  if (days < SOON_DAYS) {
    const health = days < AT_ONCE_DAYS ? 'error' : 'warning'
    return [{ check, health, found: `${what} expires on ${date}, in ${days} days`, mend }]
  }
  return quiet ? [] : [fine(check, `${what} is valid until ${date}`)]
}
