import { type Markup, writeMarkup } from '../../formats/xml/markup.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import { type ConformanceReport, summarizeGroups } from './report.ts'
import type { CheckFinding, CheckResult } from './run.ts'

/** Returns the report as JUnit XML. Groups are suites and checks are cases. An error fails its case; milder findings are its output. */
export function junitReport({ url, as, results, startedAt, seconds }: ConformanceReport): string {
  const suites = summarizeGroups(results).map(({ group, checks }): Markup => {
    const own = results.filter(({ check }) => check.group === group)
    return {
      name: 'testsuite',
      attributes: [
        ['name', group],
        ['tests', String(checks)],
        ['failures', String(countErrors(own))],
        ['timestamp', startedAt],
      ],
      children: own.map(testCase),
    }
  })
  const root: Markup = {
    name: 'testsuites',
    attributes: [
      ['name', clean(`keyspring verify ${url} as ${as}`)],
      ['tests', String(results.length)],
      ['failures', String(countErrors(results))],
      ['time', seconds.toFixed(3)],
    ],
    children: suites,
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${writeMarkup(root)}`
}

function testCase({ check, exchanges, findings }: CheckResult): Markup {
  const seconds = exchanges.reduce((sum, { reply }) => sum + (reply?.milliseconds ?? 0), 0) / 1000
  const errors = findings.filter(({ severity }) => severity === 'error')
  const others = findings.filter(({ severity }) => severity !== 'error')
  const [first] = errors
  const children: Markup[] = []
  if (first !== undefined) {
    const attributes = [['type', first.rule] as const, ['message', clean(first.what)] as const]
    children.push({ name: 'failure', attributes, text: textOf(errors) })
  }
  if (others.length > 0) children.push({ name: 'system-out', text: textOf(others) })
  return {
    name: 'testcase',
    attributes: [
      ['classname', check.group],
      ['name', clean(`${check.name}: ${check.title}`)],
      ['time', seconds.toFixed(3)],
    ],
    children,
  }
}

function countErrors(results: readonly CheckResult[]): number {
  return results.filter(({ worst }) => worst === 'error').length
}

function textOf(findings: readonly CheckFinding[]): string {
  const lines = findings.flatMap(({ rule, severity, what, place }) => [
    `${severity} ${rule}: ${what}`,
    ...(place === undefined ? [] : [`  where: ${place.path}`]),
    `  why: ${RULE_BY_ID.get(rule)?.why}`,
    `  fix: ${RULE_BY_ID.get(rule)?.fix}`,
  ])
  return clean(lines.join('\n'))
}

/** Replaces the characters that XML does not allow, which the text of a key provider may contain. */
export function clean(text: string): string {
  return text.replaceAll(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '?')
}
