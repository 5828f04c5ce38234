import assert from 'node:assert/strict'
import type { AcceptedFinding } from '../accepted.ts'

/** What a checker found: a rule, and what it found it at. */
export interface Finding {
  readonly rule: string
  readonly at: string
}

/** Fails on a finding that no row accepts, and on a row that accepts what nobody finds any more. */
export function compareFindings(found: readonly Finding[], accepted: readonly AcceptedFinding[]): void {
  const names = (all: readonly Finding[]) => [...new Set(all.map(({ rule, at }) => `${rule} at ${at}`))].sort()
  assert.deepEqual(names(found), names(accepted.flatMap(({ rule, at }) => at.map((one) => ({ rule, at: one })))))
  for (const { rule, reason } of accepted) assert.ok(reason.length > 20, `${rule} is accepted without a reason`)
}

/** The report that the CDK writes beside the templates. */
export interface ValidationReport {
  readonly pluginReports: readonly {
    readonly pluginName: string
    readonly violations: readonly ReportedViolation[]
    readonly suppressedViolations?: readonly ReportedViolation[]
  }[]
}

interface ReportedViolation {
  readonly ruleName: string
  readonly violatingConstructs: readonly { readonly constructPath: string }[]
}

/** What one checker of a report found, suppressed or not. */
export function findingsOf({ pluginReports }: ValidationReport, plugin: string): readonly Finding[] {
  const report = pluginReports.find(({ pluginName }) => pluginName === plugin)
  assert.ok(report, `${plugin} did not run`)
  return [...report.violations, ...(report.suppressedViolations ?? [])].flatMap(({ ruleName, violatingConstructs }) =>
    violatingConstructs.map(({ constructPath }) => ({
      rule: ruleName.replace(/Resource::\["arn:.*:log-group:.*$/, 'Resource::log-group:*]'),
      at: constructPath,
    })),
  )
}
