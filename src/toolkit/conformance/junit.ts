import { escapeAttribute, escapeText } from '../../formats/xml/escape.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import { type ConformanceReport, summarizeGroups } from './report.ts'
import type { CheckFinding, CheckResult } from './run.ts'

/** The report as JUnit XML: groups are suites, checks are cases; an error fails its case, what is milder stands in its output. */
export function junitReport({ url, as, results, startedAt, seconds }: ConformanceReport): string {
  const failures = results.filter(({ worst }) => worst === 'error').length
  const suites = summarizeGroups(results).map(({ group, checks }) => {
    const own = results.filter(({ check }) => check.group === group)
    const failed = own.filter(({ worst }) => worst === 'error').length
    const head = `<testsuite name="${group}" tests="${checks}" failures="${failed}" timestamp="${startedAt}">`
    return [`  ${head}`, ...own.map(testCase), '  </testsuite>'].join('\n')
  })
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="${attribute(`keyspring verify ${url} as ${as}`)}" tests="${results.length}" failures="${failures}" time="${seconds.toFixed(3)}">`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n')
}

function testCase({ check, exchanges, findings }: CheckResult): string {
  const seconds = exchanges.reduce((sum, { reply }) => sum + (reply?.milliseconds ?? 0), 0) / 1000
  const start = `    <testcase classname="${check.group}" name="${attribute(`${check.name}: ${check.title}`)}" time="${seconds.toFixed(3)}"`
  if (findings.length === 0) return `${start}/>`
  const errors = findings.filter(({ severity }) => severity === 'error')
  const others = findings.filter(({ severity }) => severity !== 'error')
  const [first] = errors
  return [
    `${start}>`,
    ...(first === undefined
      ? []
      : [`      <failure type="${first.rule}" message="${attribute(first.what)}">${textOf(errors)}</failure>`]),
    ...(others.length === 0 ? [] : [`      <system-out>${textOf(others)}</system-out>`]),
    '    </testcase>',
  ].join('\n')
}

function textOf(findings: readonly CheckFinding[]): string {
  const lines = findings.flatMap(({ rule, severity, what, place }) => [
    `${severity} ${rule}: ${what}`,
    ...(place === undefined ? [] : [`  where: ${place.path}`]),
    `  why: ${RULE_BY_ID.get(rule)?.why}`,
    `  fix: ${RULE_BY_ID.get(rule)?.fix}`,
  ])
  return escapeText(clean(lines.join('\n')))
}

function attribute(text: string): string {
  return escapeAttribute(clean(text))
}

/** What XML cannot hold, a refusal may. */
function clean(text: string): string {
  return text.replaceAll(/[^\t\n\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '?')
}
