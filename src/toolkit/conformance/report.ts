import type { EncryptorName } from '../../protocols/speke/tables/encryptors.ts'
import type { Severity } from '../rules/rule.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import { CHECK_GROUPS, type CheckGroup } from './check.ts'
import { shownBody } from './redact.ts'
import type { CheckFinding, CheckResult, Exchange } from './run.ts'

/** The results of a run, for every report format. */
export interface ConformanceReport {
  readonly url: string
  readonly as: EncryptorName
  /** ISO 8601. */
  readonly startedAt: string
  readonly seconds: number
  /** The version of this program. */
  readonly version: string
  readonly results: readonly CheckResult[]
  readonly showKeys: boolean
}

export interface GroupSummary {
  readonly group: CheckGroup
  readonly about: string
  readonly checks: number
  readonly passed: number
}

/** Returns the number of checks and passes for each group with checks. */
export function summarizeGroups(results: readonly CheckResult[]): readonly GroupSummary[] {
  return (Object.keys(CHECK_GROUPS) as CheckGroup[]).flatMap((group) => {
    const own = results.filter(({ check }) => check.group === group)
    if (own.length === 0) return []
    const passed = own.filter(({ worst }) => worst === undefined || worst === 'note').length
    return [{ group, about: CHECK_GROUPS[group], checks: own.length, passed }]
  })
}

/** A broken rule, with the checks that found it. */
export interface RuleSummary {
  readonly rule: string
  readonly severity: Severity
  /** The checks with this finding. */
  readonly failed: readonly CheckResult[]
  /** Number of checks to which the rule applied. */
  readonly looked: number
  readonly first: CheckFinding
}

/** Returns the findings by rule, the worst first. */
export function summarizeRules(results: readonly CheckResult[]): readonly RuleSummary[] {
  const order: readonly string[] = [...RULE_BY_ID.keys()]
  const rank = { error: 0, warning: 1, note: 2 } as const
  const failures = results.flatMap((result) => result.findings.map((finding) => ({ result, finding })))
  return [...Map.groupBy(failures, ({ finding }) => finding.rule)]
    .flatMap(([rule, own]) => {
      const [first] = own
      if (first === undefined) return []
      const failed = [...new Set(own.map(({ result }) => result))]
      const looked = results.filter(({ rules }) => rules.includes(rule)).length
      return [{ rule, severity: first.finding.severity, failed, looked, first: first.finding }]
    })
    .toSorted((a, b) => rank[a.severity] - rank[b.severity] || order.indexOf(a.rule) - order.indexOf(b.rule))
}

/** Returns the number of checks, requests and results. */
export function totals(results: readonly CheckResult[]) {
  return {
    checks: results.length,
    requests: results.reduce((sum, { exchanges }) => sum + exchanges.length, 0),
    passed: results.filter(({ worst }) => worst === undefined).length,
    withErrors: results.filter(({ worst }) => worst === 'error').length,
    withWarnings: results.filter(({ worst }) => worst === 'warning').length,
    withNotes: results.filter(({ worst }) => worst === 'note').length,
  }
}

/** Returns the report as JSON: every check with its findings, requests and replies. */
export function jsonReport(report: ConformanceReport): string {
  const { results, showKeys, ...head } = report
  const checks = results.map(({ check, exchanges, findings, rules, worst }) => ({
    name: check.name,
    group: check.group,
    title: check.title,
    result: worst ?? 'passed',
    rules,
    findings: findings.map(explained),
    exchanges: exchanges.map((exchange) => shownExchange(exchange, showKeys)),
  }))
  return `${JSON.stringify({ ...head, totals: totals(results), checks }, undefined, 2)}\n`
}

/** Returns a finding with the texts of its rule. */
export function explained(finding: CheckFinding): object {
  const rule = RULE_BY_ID.get(finding.rule)
  return { ...finding, clause: rule?.clause, why: rule?.why, fix: rule?.fix }
}

const MAX_SHOWN = 64 * 1024

/** Returns an exchange as a report shows it. */
export function shownExchange(exchange: Exchange, showKeys: boolean) {
  const { step, reply, failure } = exchange
  const versionHeader = step.versionHeader === undefined ? step.version.header : step.versionHeader
  const sendsHeader = versionHeader !== null && (step.versionHeader !== undefined || step.version.major === 2)
  return {
    sent: {
      headers: { ...(sendsHeader && { 'X-Speke-Version': versionHeader }), ...step.headers },
      body: cut(step.xml),
    },
    came:
      reply === undefined
        ? { failure: failure ?? 'no answer' }
        : {
            status: reply.status,
            headers: withoutCookies(reply.headers),
            milliseconds: Math.round(reply.milliseconds),
            body: cut(shownBody(exchange, showKeys)),
          },
  }
}

function cut(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}… (${text.length} characters)` : text
}

function withoutCookies(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'set-cookie'))
}
