import picocolors from 'picocolors'
import { KeyProviderError } from '../../core/errors.ts'
import { type Config, readConfig } from '../../server/config/config.ts'
import type { ConfigFlags } from '../../server/config/sources.ts'
import { SEVERITIES, type Severity } from '../../toolkit/rules/rule.ts'
import { wantsColours } from '../shared/colours.ts'
import { exitCodeFor, type FailOn } from '../shared/findings.ts'
import { describeError } from '../shared/report.ts'
import { examineCertificates } from './certificates.ts'
import { examineClock } from './clock.ts'
import { type Examination, fine, type HealthCheck, type HealthFinding } from './finding.ts'
import { examineKeysAtRest } from './keys-at-rest.ts'
import { examineListener } from './listener.ts'
import { examineMachine } from './machine.ts'
import { examineReach } from './reach.ts'

interface DoctorOptions extends ConfigFlags {
  readonly config?: string
  readonly json?: boolean
  readonly failOn: FailOn
}

/** What is examined, in this order: the clock is compared with what was reached. */
const CHECKS: readonly (readonly [name: string, check: HealthCheck])[] = [
  ['data', examineMachine],
  ['store', examineKeysAtRest],
  ['listener', examineListener],
  ['certificates', examineCertificates],
  ['reach', examineReach],
  ['clock', examineClock],
]

/** Says what is wrong with a configuration and everything it needs, and how to mend it. */
export async function doctor({ config: file, json = false, failOn, ...flags }: DoctorOptions): Promise<void> {
  const findings = await examine(() => readConfig({ file, environment: process.env, flags }))
  process.stdout.write(json ? `${JSON.stringify({ findings }, undefined, 2)}\n` : printed(findings))
  const severities = findings.map(({ health }) => health).filter((health) => health !== 'ok')
  const counts = SEVERITIES.map((one) => `${severities.filter((severity) => severity === one).length} ${one}s`)
  process.stderr.write(`keyspring: ${findings.length} findings: ${counts.join(', ')}\n`)
  process.exitCode = exitCodeFor(severities, failOn)
}

async function examine(read: () => Config): Promise<readonly HealthFinding[]> {
  let config: Config
  try {
    config = read()
  } catch (error) {
    // Each of its problems is one to mend.
    return problemsOf(error).map((found) => ({ check: 'config', health: 'error', found, mend: 'see docs/config.md' }))
  }
  const findings = [
    fine('config', config.file === undefined ? 'no file: the environment and the defaults' : `${config.file} is valid`),
  ]
  const examination: Examination = { config, now: () => Date.now(), heard: [] }
  for (const [name, check] of CHECKS) findings.push(...(await attempt(name, check, examination)))
  return findings
}

async function attempt(name: string, check: HealthCheck, examination: Examination): Promise<readonly HealthFinding[]> {
  try {
    return await check(examination)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const [found = '', hint = ''] = describeError(error)
      .replace(/^keyspring: /, '')
      .split('\nhint: ')
    const code = error instanceof KeyProviderError ? `; docs/errors.md, ${error.code}, says more` : ''
    const check = error instanceof KeyProviderError && error.code.startsWith('ERR_ROOT_KEY_') ? 'root key' : name
    return [{ check, health: 'error', found, mend: `${hint === '' ? 'see the message' : hint}${code}` }]
  }
}

function problemsOf(error: unknown): readonly string[] {
  if (error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID') return error.message.split('\n')
  throw error
}

function printed(findings: readonly HealthFinding[]): string {
  const color = picocolors.createColors(wantsColours(process.stdout, process.env))
  const paint: Record<'ok' | Severity, (text: string) => string> = {
    ok: color.green,
    error: color.red,
    warning: color.yellow,
    note: color.cyan,
  }
  const lines = findings.flatMap(({ check, health, found, mend }) => [
    `${paint[health](health.padEnd(7))}  ${check.padEnd(12)}  ${found}`,
    ...(mend === undefined ? [] : [`${' '.repeat(23)}mend: ${mend}`]),
  ])
  return lines.map((line) => `${line}\n`).join('')
}
