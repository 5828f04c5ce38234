import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { World } from '../shared/world.ts'
import { type Examination, fine, type HealthFinding, type RemoteTime } from './finding.ts'

const WARN_MS = 30_000
/** AWS Signature Version 4 and Digest accept a difference of 5 minutes. */
const FAIL_MS = 300_000
/** A Date header has whole seconds. */
const GRAIN_MS = 1_000

/**
 * Checks whether the clock agrees with the machines that answered, or if none did, whether the system reports it as
 * synchronised; and whether the clock is behind its own files.
 */
export async function examineClock({
  config,
  world,
  now,
  remoteTimes,
}: Examination): Promise<readonly HealthFinding[]> {
  const check = 'clock'
  const fix = 'synchronise it (chrony, systemd-timesyncd): signatures, tokens and expiry depend on it'
  const findings = remoteTimes.map((one): HealthFinding => {
    const ms = differenceOf(one)
    if (Math.abs(ms) < WARN_MS) return fine(check, `agrees with ${one.from}`)
    const found = `is ${Math.round(Math.abs(ms) / 1_000)} s ${ms > 0 ? 'behind' : 'ahead of'} ${one.from}`
    return { check, health: Math.abs(ms) >= FAIL_MS ? 'error' : 'warning', found, fix }
  })
  const time = new Date(now()).toISOString()
  const written = lastWritten(config.data)
  if (written !== undefined && written - now() > WARN_MS) {
    const found = `is ${time}, but the store was written later, on ${new Date(written).toISOString()}`
    findings.push({ check, health: 'error', found, fix })
  }
  if (findings.length > 0) return findings
  switch (isSynchronised(world)) {
    case true:
      return [fine(check, `is ${time}; the system reports that it is synchronised`)]
    case false:
      return [{ check, health: 'warning', found: `is ${time}; the system reports that it is not synchronised`, fix }]
    case undefined:
      return [fine(check, `is ${time}; not compared: no other machine answered, and the system reports nothing`)]
  }
}

/** How far the other clock is ahead, in ms. It was read at an unknown time between the request and the answer. */
function differenceOf({ at, askedAt, answeredAt }: RemoteTime): number {
  if (at + GRAIN_MS < askedAt) return at + GRAIN_MS - askedAt
  return at > answeredAt ? at - answeredAt : 0
}

function lastWritten(data: string): number | undefined {
  const files = ['keyspring.db', 'keyspring.db-wal'].map((name) => join(data, name)).filter((file) => existsSync(file))
  return files.length === 0 ? undefined : Math.max(...files.map((file) => statSync(file).mtimeMs))
}

/** Whether systemd reports a synchronised clock; undefined on a system without systemd. */
function isSynchronised({ env }: World): boolean | undefined {
  const { stdout, status } = spawnSync('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
    encoding: 'utf8',
    env,
    timeout: 2_000,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (status !== 0) return undefined
  return { yes: true, no: false }[stdout.trim()]
}
