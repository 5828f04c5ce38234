import { resolve } from 'node:path'
import { KeyProviderError } from '../../core/errors.ts'
import { type Config, readConfig } from '../../server/config/config.ts'
import type { ConfigFlags } from '../../server/config/sources.ts'
import { SEVERITIES } from '../../toolkit/rules/rule.ts'
import { describeError } from '../shared/errors.ts'
import { exitCodeFor, type FailOn, severityColours } from '../shared/findings.ts'
import { printResult, stdoutColours, type World } from '../shared/world.ts'
import { examineCertificates } from './certificates.ts'
import { examineClock } from './clock.ts'
import { type Examination, fine, type HealthCheck, type HealthFinding } from './finding.ts'
import { examineKeysAtRest } from './keys-at-rest.ts'
import { examineListener } from './listener.ts'
import { examineMachine } from './machine.ts'
import { examineReach } from './reach.ts'

export interface DoctorOptions extends ConfigFlags {
  readonly config?: string
  readonly json?: boolean
  readonly failOn: FailOn
}

/** The checks in order. The clock is last: it is compared with the machines that other checks reached. */
const CHECKS: readonly (readonly [name: string, check: HealthCheck])[] = [
  ['data', examineMachine],
  ['store', examineKeysAtRest],
  ['listener', examineListener],
  ['certificates', examineCertificates],
  ['reach', examineReach],
  ['clock', examineClock],
]

/** Prints what is wrong with a configuration and everything it needs, and how to fix it. */
export async function doctor(
  { config: file, json = false, failOn, ...flags }: DoctorOptions,
  world: World,
): Promise<void> {
  const findings = await examine(() => readConfig({ file, environment: world.env, flags }), world)
  if (json) printResult(world, true, { findings }, () => [])
  else world.stdout.write(printed(findings, world))
  const severities = findings.map(({ health }) => health).filter((health) => health !== 'ok')
  const counts = SEVERITIES.map((one) => `${severities.filter((severity) => severity === one).length} ${one}s`)
  world.stderr.line(`keyspring: ${findings.length} findings: ${counts.join(', ')}`)
  world.exitCode = exitCodeFor(severities, failOn)
}

async function examine(read: () => Config, world: World): Promise<readonly HealthFinding[]> {
  let config: Config
  try {
    config = read()
  } catch (error) {
    if (!(error instanceof KeyProviderError) || error.code !== 'ERR_CONFIG_INVALID') throw error
    const problems = error.message.split('\n')
    return problems.map((found) => ({ check: 'config', health: 'error', found, fix: 'see docs/config.md' }))
  }
  const findings = [
    fine(
      'config',
      config.file === undefined ? 'no file: the environment and the defaults' : `${resolve(config.file)} is valid`,
    ),
  ]
  const examination: Examination = {
    // Messages name the full path: a relative path depends on where the server is started.
    config: { ...config, data: resolve(config.data) },
    world,
    now: () => Date.now(),
    remoteTimes: [],
  }
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
    const code = error instanceof KeyProviderError ? `; see ${error.code} in docs/errors.md` : ''
    const isRootKey = error instanceof KeyProviderError && error.code.startsWith('ERR_ROOT_KEY_')
    return [
      {
        check: isRootKey ? 'root key' : name,
        health: 'error',
        found,
        fix: `${hint === '' ? 'see the message' : hint}${code}`,
      },
    ]
  }
}

function printed(findings: readonly HealthFinding[], world: World): string {
  const colour = stdoutColours(world)
  const paint = { ok: colour.green, ...severityColours(colour) }
  const lines = findings.flatMap(({ check, health, found, fix }) => [
    `${paint[health](health.padEnd(7))}  ${check.padEnd(12)}  ${found}`,
    ...(fix === undefined ? [] : [`${' '.repeat(23)}fix: ${fix}`]),
  ])
  return lines.map((line) => `${line}\n`).join('')
}
