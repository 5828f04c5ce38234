import { connect } from 'node:net'
import type { Config } from '../../server/config/config.ts'
import { type Examination, fine, type HealthFinding } from './finding.ts'

const TIMEOUT_MS = 2_000

/** Who listens where the server would: itself, and whether it is ready, another program, or nobody. */
export async function examineListener({ config }: Examination): Promise<readonly HealthFinding[]> {
  const { host, port, tls, allowAnonymous, loopback } = config
  const check = 'listener'
  const findings: HealthFinding[] = []
  if (allowAnonymous && !loopback) {
    const mend = 'give every encryptor a client (keyspring client add) and take allowAnonymous away'
    findings.push({ check, health: 'warning', found: 'allowAnonymous: whoever reaches this address gets keys', mend })
  }
  if (port === 0) return [...findings, fine(check, `${host}: any free port is taken`)]
  const address = `${host}:${port}`
  if (!(await isTaken(config))) return [...findings, fine(check, `${address} is free: no server runs there now`)]
  // Its certificate is for the public name, which this is not.
  if (tls !== undefined)
    return [...findings, fine(check, `somebody listens on ${address}; over TLS it is seen by publicUrl`)]
  const answer = await fetch(`http://${urlHost(host)}:${port}/readyz`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined)
  if (answer?.headers.has('x-request-id') !== true) {
    const mend = 'choose another port, or stop that program'
    return [...findings, { check, health: 'error', found: `another program listens on ${address}`, mend }]
  }
  if (answer.status === 200) return [...findings, fine(check, `a server runs on ${address}, and is ready`)]
  const mend = 'its log says why, on the line "not ready"'
  return [...findings, { check, health: 'error', found: `a server runs on ${address}, and is not ready`, mend }]
}

function isTaken({ host, port }: Pick<Config, 'host' | 'port'>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: reachable(host), port, timeout: TIMEOUT_MS })
    const end = (taken: boolean) => () => {
      socket.destroy()
      resolve(taken)
    }
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false))
  })
}

/** Where a server on every address is reached from this machine. */
function reachable(host: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host
}

function urlHost(host: string): string {
  const name = reachable(host)
  return name.includes(':') ? `[${name}]` : name
}
