import { connect } from 'node:net'
import type { Config } from '../../server/config/config.ts'
import { type Examination, fine, type HealthFinding } from './finding.ts'

const TIMEOUT_MS = 2_000

/** Checks the port of the server: whether the server itself has it and is ready, another program has it, or it is free. */
export async function examineListener({ config }: Examination): Promise<readonly HealthFinding[]> {
  const { host, port, tls, allowAnonymous, loopback } = config
  const check = 'listener'
  const findings: HealthFinding[] = []
  if (allowAnonymous && !loopback) {
    const fix = 'add a client for every encryptor (keyspring client add) and remove allowAnonymous'
    findings.push({
      check,
      health: 'warning',
      found: 'allowAnonymous: everyone who reaches this address gets keys',
      fix,
    })
  }
  if (port === 0) return [...findings, fine(check, `${host}: the server will use any free port`)]
  const address = `${host}:${port}`
  if (!(await isTaken(config))) return [...findings, fine(check, `${address} is free: no server runs there now`)]
  // The certificate is for the public name, not for this address.
  if (tls !== undefined)
    return [
      ...findings,
      fine(check, `a program listens on ${address}; with TLS, the check of publicUrl shows whether it is this server`),
    ]
  const answer = await fetch(`http://${urlHost(host)}:${port}/readyz`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch(() => undefined)
  if (answer?.headers.has('x-request-id') !== true) {
    const fix = 'choose another port, or stop that program'
    return [...findings, { check, health: 'error', found: `another program listens on ${address}`, fix }]
  }
  if (answer.status === 200) return [...findings, fine(check, `a server runs on ${address}, and is ready`)]
  const fix = 'see the line "not ready" in its log'
  return [...findings, { check, health: 'error', found: `a server runs on ${address}, and is not ready`, fix }]
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

/** An address of this machine for a server that listens on all addresses. */
function reachable(host: string): string {
  return { '0.0.0.0': '127.0.0.1', '::': '::1' }[host] ?? host
}

function urlHost(host: string): string {
  const name = reachable(host)
  return name.includes(':') ? `[${name}]` : name
}
