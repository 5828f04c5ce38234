import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { arch, platform } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const PACKAGE = join(dirname(fileURLToPath(import.meta.resolve('@cdklabs/cdk-validator-cfnguard'))), '..')
const RULES = join(PACKAGE, 'rules', 'control-tower', 'cfn-guard')
const SYSTEMS: Readonly<Record<string, string>> = { linux: 'ubuntu', darwin: 'macos' }
const PROCESSORS: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' }

export interface GuardReport {
  readonly failed: readonly string[]
  readonly passed: readonly string[]
}

/** What the rules of Control Tower say of a template. The plugin of the package cannot read all that its own program reports. */
export function guard(file: string): GuardReport {
  const program = join(PACKAGE, 'bin', SYSTEMS[platform()] ?? '', PROCESSORS[arch()] ?? '', 'cfn-guard')
  const options = ['--output-format', 'json', '--structured', '--show-summary', 'none']
  const { stdout, error } = spawnSync(program, ['validate', '--data', file, '--rules', RULES, ...options], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  })
  assert.ifError(error)
  const [report] = JSON.parse(stdout) as {
    not_compliant: { Rule: { name: string } }[]
    compliant: string[]
  }[]
  assert.ok(report)
  return { failed: report.not_compliant.map(({ Rule }) => Rule.name), passed: report.compliant }
}
