import { type Markup, writeMarkup } from '../../formats/xml/markup.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import { outcomesOf } from './causes.ts'
import type { CheckFinding, CheckResult } from './check.ts'
import { type ConformanceReport, summarizeGroups } from './report.ts'

/**
 * Returns the report as JUnit XML. Groups are suites and checks are cases. An error fails its case, but a cause that affects many
 * checks fails only one. Other findings are the output of a case.
 */
export function junitReport({ url, as, results, startedAt, seconds }: ConformanceReport): string {
  const outcomes = outcomesOf(results)
  const failures = results.filter((result) => outcomes.get(result) === 'error')
  const suites = summarizeGroups(results).map(({ group, checks }): Markup => {
    const own = results.filter(({ check }) => check.group === group)
    return {
      name: 'testsuite',
      attributes: [
        ['name', group],
        ['tests', String(checks)],
        ['failures', String(failures.filter(({ check }) => check.group === group).length)],
        ['timestamp', startedAt],
      ],
      children: own.map((result) => testCase(result, failures.includes(result))),
    }
  })
  const root: Markup = {
    name: 'testsuites',
    attributes: [
      ['name', clean(`keyspring verify ${url} as ${as}`)],
      ['tests', String(results.length)],
      ['failures', String(failures.length)],
      ['time', seconds.toFixed(3)],
    ],
    children: suites,
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${writeMarkup(root)}`
}

function testCase({ check, exchanges, findings }: CheckResult, isFailure: boolean): Markup {
  const seconds = exchanges.reduce((sum, { reply }) => sum + (reply?.milliseconds ?? 0), 0) / 1000
  const errors = isFailure ? findings.filter(({ severity }) => severity === 'error') : []
  const others = findings.filter((finding) => !errors.includes(finding))
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
