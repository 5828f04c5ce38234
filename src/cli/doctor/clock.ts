import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type Examination, fine, type HealthFinding, type HeardTime } from './finding.ts'

const WARN_MS = 30_000
/** AWS Signature Version 4 and Digest are taken this far apart and no farther. */
const FAIL_MS = 300_000
/** A Date header has whole seconds. */
const GRAIN_MS = 1_000

/** Whether the clock agrees with those of the machines that were reached, and has not gone back behind its own files. */
export async function examineClock({ config, now, heard }: Examination): Promise<readonly HealthFinding[]> {
  const check = 'clock'
  const mend = 'synchronise it (chrony, systemd-timesyncd): signatures, tokens and expiry go by it'
  const findings = heard.map((one): HealthFinding => {
    const ms = differenceOf(one)
    if (Math.abs(ms) < WARN_MS) return fine(check, `agrees with ${one.from}`)
    const found = `is ${Math.round(Math.abs(ms) / 1_000)} s ${ms > 0 ? 'behind' : 'ahead of'} ${one.from}`
    return { check, health: Math.abs(ms) >= FAIL_MS ? 'error' : 'warning', found, mend }
  })
  const written = lastWritten(config.data)
  if (written !== undefined && written - now() > WARN_MS) {
    const found = `was later once: the store was written on ${new Date(written).toISOString()}, and it is ${new Date(now()).toISOString()}`
    findings.push({ check, health: 'error', found, mend })
  }
  if (findings.length === 0)
    findings.push(fine(check, `is ${new Date(now()).toISOString()}; nobody was reached to compare it with`))
  return findings
}

/** How far the other clock is ahead, as far as that can be told: it was read at some time while the answer was awaited. */
function differenceOf({ at, askedAt, answeredAt }: HeardTime): number {
  if (at + GRAIN_MS < askedAt) return at + GRAIN_MS - askedAt
  return at > answeredAt ? at - answeredAt : 0
}

function lastWritten(data: string): number | undefined {
  const files = ['keyspring.db', 'keyspring.db-wal'].map((name) => join(data, name)).filter((file) => existsSync(file))
  return files.length === 0 ? undefined : Math.max(...files.map((file) => statSync(file).mtimeMs))
}
