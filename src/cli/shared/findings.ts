import type { Finding } from '../../toolkit/rules/judge.ts'
import { SEVERITIES, type Severity } from '../../toolkit/rules/rule.ts'
import { RULE_BY_ID } from '../../toolkit/rules/rules.ts'
import { EXIT, type ExitCode } from './errors.ts'
import type { stdoutColours } from './world.ts'

/** The values of `--fail-on`: the lowest severity for which a command fails. */
export const FAIL_ON = [...SEVERITIES, 'never'] as const
export type FailOn = (typeof FAIL_ON)[number]

/** The file names of the sides of an exchange. */
export type SideNames = Readonly<Record<'request' | 'answer' | 'reply', string>>

type Colours = ReturnType<typeof stdoutColours>

/** How each severity is coloured. */
export function severityColours({ red, yellow, cyan }: Colours): Readonly<Record<Severity, (text: string) => string>> {
  return { error: red, warning: yellow, note: cyan }
}

interface PrintOptions {
  readonly names: SideNames
  readonly colours: Colours
  /** Print every finding, not only the first few of each rule. */
  readonly all: boolean
}

const FIRST_FEW = 3
const EXIT_OF: Readonly<Record<Severity, ExitCode>> = {
  error: EXIT.errorsFound,
  warning: EXIT.warningsFound,
  note: EXIT.notesFound,
}

/** Findings for people: what, where, why, how to fix it, a line each; why and how once for a rule. */
export function printFindings(findings: readonly Finding[], { names, colours: color, all }: PrintOptions): string {
  const paint = severityColours(color)
  const lines: string[] = []
  for (const [id, own] of Map.groupBy(findings, ({ rule }) => rule)) {
    const shown = all ? own : own.slice(0, FIRST_FEW)
    for (const { severity, what, place } of shown) {
      lines.push(`${paint[severity](severity)}: ${color.bold(what)} ${color.dim(`[${id}]`)}`)
      lines.push(`  where: ${place === undefined ? 'the whole document' : whereOf(place, names)}`)
    }
    if (own.length > shown.length)
      lines.push(color.dim(`  … and ${own.length - shown.length} more of ${id}: --all shows them`))
    const rule = RULE_BY_ID.get(id)
    if (rule !== undefined)
      lines.push(`  why:   ${rule.why}`, `  fix:   ${rule.fix}`, color.dim(`  source: ${rule.clause}`), '')
  }
  return lines.map((line) => `${line}\n`).join('')
}

/** Findings as workflow commands of GitHub Actions, which shows them beside the lines. */
export function printAnnotations(findings: readonly Finding[], names: SideNames): string {
  const kinds = { error: 'error', warning: 'warning', note: 'notice' } as const
  return findings
    .map(({ rule, severity, what, place }) => {
      const position = place?.line === undefined ? [] : [`line=${place.line}`, `col=${place.column ?? 1}`]
      const properties = [`file=${property(names[place?.side ?? 'answer'])}`, ...position, `title=${property(rule)}`]
      const message = `${what} (${place?.path ?? 'the whole document'}). ${RULE_BY_ID.get(rule)?.fix ?? ''}`
      return `::${kinds[severity]} ${properties.join(',')}::${escaped(message)}\n`
    })
    .join('')
}

/** Findings with their rules, for JSON. */
export function findingsAsJson(findings: readonly Finding[], names: SideNames): readonly object[] {
  return findings.map(({ place, ...finding }) => {
    const rule = RULE_BY_ID.get(finding.rule)
    const where = place && {
      side: place.side,
      file: names[place.side],
      xpath: place.path,
      line: place.line,
      column: place.column,
    }
    return { ...finding, where, clause: rule?.clause, why: rule?.why, fix: rule?.fix }
  })
}

/** The number of findings of each severity, in words. */
export function countFindings(findings: readonly Finding[]): string {
  const counts = SEVERITIES.map(
    (severity) => [severity, findings.filter((one) => one.severity === severity).length] as const,
  )
  return counts.map(([severity, count]) => `${count} ${severity}${count === 1 ? '' : 's'}`).join(', ')
}

/** The exit code: the worst severity decides, if it is at least as severe as `failOn`. */
export function exitCodeFor(severities: Iterable<Severity>, failOn: FailOn): ExitCode {
  const found = new Set(severities)
  const worst = SEVERITIES.find((severity) => found.has(severity))
  const threshold = FAIL_ON.indexOf(failOn)
  if (worst === undefined || failOn === 'never' || SEVERITIES.indexOf(worst) > threshold) return EXIT.done
  return EXIT_OF[worst]
}

function whereOf({ side, path, line, column }: NonNullable<Finding['place']>, names: SideNames): string {
  const position = line === undefined ? '' : `:${line}:${column ?? 1}`
  return `${names[side]}${position} ${path}`
}

/** @see https://docs.github.com/actions/reference/workflow-commands-for-github-actions */
function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}

function property(text: string): string {
  return escaped(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
}
