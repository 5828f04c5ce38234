import { escapeAttribute, escapeText } from '../../formats/xml/markup.ts'
import { RULE_BY_ID } from '../rules/rules.ts'
import { type Cause, causesOf, type Outcome, outcomesOf } from './causes.ts'
import type { CheckFinding, CheckResult, Exchange } from './check.ts'
import { clean } from './junit.ts'
import { type ConformanceReport, shownExchange, summarizeGroups, totals } from './report.ts'

/**
 * Returns the report as one HTML file of less than 1 MB that loads nothing: to read, and to send to the operator of the key provider.
 * It shows the requests and replies of the checks that failed, as far as the size allows. The JSON report has all of them.
 */
export function htmlReport(report: ConformanceReport): string {
  const { url, as, startedAt, seconds, version, results, showKeys } = report
  const { checks, requests, passed, withErrors, withWarnings, withNotes, affected } = totals(results)
  const verdict = withErrors > 0 ? 'error' : withWarnings > 0 ? 'warning' : 'passed'
  const groups = summarizeGroups(results).map(
    (one) =>
      `<tr><td><a href="#${id(one.group)}">${text(one.group)}</a></td><td>${text(one.about)}</td><td>${one.passed} of ${one.checks}</td><td>${one.affected}</td></tr>`,
  )
  const outcomes = outcomesOf(results)
  const budget = { characters: EXCHANGES_BUDGET }
  const sections = summarizeGroups(results).map(({ group, about }) => {
    const own = results.filter(({ check }) => check.group === group)
    const shown = own.map((result) => checkSection(result, outcomes.get(result) ?? 'passed', showKeys, budget))
    return `<h3 id="${id(group)}">${text(group)}</h3><p>${text(about)}</p>${shown.join('\n')}`
  })
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SPEKE conformance of ${text(url)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>SPEKE conformance <span class="${verdict}">${verdict === 'passed' ? 'passed' : `${withErrors} with errors`}</span></h1>
<p>${text(url)}, checked as <b>${text(as)}</b>, ${text(startedAt)}, ${seconds.toFixed(1)} s, keyspring ${text(version)}.</p>
<p>${checks} checks with ${requests} requests: ${passed} passed, ${withErrors} with errors, ${withWarnings} with warnings, ${withNotes} with notes, ${affected} affected by the cause of another check.
${showKeys ? '<b>This report contains content keys.</b>' : 'Content keys are removed from this report.'}</p>
<table><tr><th>Group</th><th>Topic</th><th>Passed</th><th>Affected</th></tr>${groups.join('')}</table>
<h2>Causes</h2>
${causesOf(results).map(causeSection).join('\n') || '<p>No findings.</p>'}
<h2>Checks</h2>
${sections.join('\n')}
</body>
</html>
`
}

/** Characters for findings, requests and replies of checks. With the last one it may be exceeded by one exchange. */
const EXCHANGES_BUDGET = 400_000
const MAX_BODY = 16_000
const MAX_FINDINGS = 5

function causeSection({ rule, severity, harm, failed, looked, first }: Cause): string {
  const texts = RULE_BY_ID.get(rule)
  const shown = failed
    .slice(0, MAX_LINKS)
    .map(({ check }) => `<a href="#${id(check.name)}">${text(check.name)}</a>`)
    .join(', ')
  const more = failed.length > MAX_LINKS ? ` and ${failed.length - MAX_LINKS} more` : ''
  return `<section><h3><span class="${severity}">${severity}</span> ${text(rule)}: ${text(harm)}</h3>
<dl><dt>What</dt><dd>${text(first.what)}</dd>${whereOf(first)}
<dt>Why</dt><dd>${text(texts?.why ?? '')}</dd><dt>Fix</dt><dd>${text(texts?.fix ?? '')}</dd>
<dt>Source</dt><dd>${text(texts?.clause ?? '')}</dd><dt>Checks</dt><dd>${failed.length} of ${looked}: ${shown}${more}</dd></dl></section>`
}

const MAX_LINKS = 8

function checkSection(
  { check, exchanges, findings }: CheckResult,
  outcome: Outcome,
  showKeys: boolean,
  budget: { characters: number },
): string {
  const head = `<span class="${outcome}">${outcome}</span> <code>${text(check.name)}</code> ${text(check.title)}`
  if (findings.length === 0 || budget.characters <= 0) return `<p id="${id(check.name)}">${head}</p>`
  const found = findings
    .slice(0, MAX_FINDINGS)
    .map(
      (finding) =>
        `<li><span class="${finding.severity}">${finding.severity}</span> <b>${text(finding.rule)}</b> ${text(finding.what)}${placeText(finding)}</li>`,
    )
  const more = findings.length > MAX_FINDINGS ? `<li>and ${findings.length - MAX_FINDINGS} more</li>` : ''
  budget.characters -= found.join('').length
  const steps = new Set(outcome === 'affected' ? [] : findings.map(({ step }) => step))
  const shown = exchanges.flatMap((exchange, i) => {
    if (!steps.has(i)) return []
    if (budget.characters <= 0) return ['<p>The JSON report has this request and its reply.</p>']
    const section = exchangeSection(exchange, showKeys)
    budget.characters -= section.length
    return [section]
  })
  return `<details id="${id(check.name)}"><summary>${head}</summary>
<ul>${found.join('')}${more}</ul>
${shown.join('\n')}</details>`
}

function exchangeSection(exchange: Exchange, showKeys: boolean): string {
  const { sent, came } = shownExchange(exchange, showKeys, MAX_BODY)
  const outcome =
    'failure' in came
      ? `<p>No answer: ${text(came.failure)}</p>`
      : `<p>Received: ${came.status} after ${came.milliseconds} ms</p><pre>${text(headersText(came.headers))}\n\n${text(came.body)}</pre>`
  return `<p>Sent:</p><pre>${text(headersText(sent.headers))}\n\n${text(sent.body)}</pre>${outcome}`
}

function headersText(headers: object): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join('\n')
}

function whereOf(finding: CheckFinding): string {
  return finding.place === undefined ? '' : `<dt>Where</dt><dd>${placeText(finding)}</dd>`
}

function placeText({ place }: CheckFinding): string {
  if (place === undefined) return ''
  const line = place.line === undefined ? '' : ` (line ${place.line})`
  return ` <code>${text(place.side)} ${text(place.path)}</code>${line}`
}

function text(value: string): string {
  return escapeText(clean(value))
}

function id(name: string): string {
  return escapeAttribute(name.replaceAll(/[^A-Za-z0-9.-]/g, '_'))
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse}td,th{border-bottom:1px solid #ddd;padding:.2rem .8rem .2rem 0;text-align:left}
pre{background:#f5f5f5;padding:.7rem;overflow:auto;max-height:24rem;font-size:12px}code{font-size:13px}
summary{cursor:pointer}section{border-top:1px solid #ddd}dl{display:grid;grid-template-columns:5rem 1fr;gap:.2rem}
dt{color:#666}dd{margin:0;overflow-wrap:anywhere}
.error,.warning,.note,.passed,.affected{border-radius:3px;padding:0 .35rem;font-size:12px;color:#fff}
.error{background:#b3261e}.warning{background:#8a6100}.note{background:#2b5f9e}.passed{background:#2e6b34}.affected{background:#666}`
