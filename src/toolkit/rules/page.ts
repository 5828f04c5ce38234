import { ENCRYPTORS } from '../../protocols/speke/tables/presets.ts'
import { RULE_GROUPS, type Rule, type Severity } from './rule.ts'

const WIDTH = 120

/** Returns the page of a rule for docs/rules, in Markdown. */
export function rulePage(rule: Rule): string {
  const exceptions = ENCRYPTORS.flatMap((as) => {
    const severity = rule.severityAs?.[as]
    return severity === undefined || severity === rule.severity ? [] : [`${severityText(severity)} with \`--as ${as}\``]
  })
  const severity = [severityText(rule.severity), ...exceptions].join(', ')
  const speke = rule.majors === undefined ? 'SPEKE 1.0, 2.0 and 2.1' : rule.majors.map((one) => MAJORS[one]).join(', ')
  const isSpekeOnly = rule.spekeOnly === true || rule.majors?.includes(1) === true
  const versions = isSpekeOnly ? speke : `${speke}, CPIX without SPEKE`
  return [
    `# ${rule.id}`,
    wrapped(`${rule.title}.`),
    wrapped(`- **Severity:** ${severity}`),
    wrapped(`- **Applies to:** ${SUBJECTS[rule.subject]}, ${versions}`),
    wrapped(`- **Source:** ${rule.clause}`),
    '## Why it matters',
    wrapped(rule.why),
    '## How to fix it',
    wrapped(rule.fix),
    `[All rules](README.md)`,
    '',
  ]
    .join('\n\n')
    .replaceAll(/\n\n(- \*\*(?:Applies|Source))/g, '\n$1')
    .trimEnd()
    .concat('\n')
}

/** Returns the page that lists every rule by group, in Markdown. */
export function rulesIndexPage(rules: readonly Rule[]): string {
  const groups = Object.entries(RULE_GROUPS).map(([group, heading]) => {
    const rows = rules
      .filter((rule) => rule.group === group)
      .map(({ id, severity, title }) => `| [${id}](${id}.md) | ${severityText(severity)} | ${title} |`)
    return [`## ${heading}`, '', '| Rule | Severity | Requirement |', '|---|---|---|', ...rows, ''].join('\n')
  })
  return `# Rules\n\n${INTRODUCTION}\n\n${groups.join('\n')}`.trimEnd().concat('\n')
}

const INTRODUCTION = wrapped(
  '`keyspring lint` checks a CPIX document against these rules, and `keyspring verify` checks a key provider. An *error* stops encryptors or players, or exposes a key. A *warning* does so with some encryptors or players. A *note* is an improvement. `--as` names an encryptor, which may have stricter rules.',
)

const MAJORS = { 1: 'SPEKE 1.0', 2: 'SPEKE 2.0 and 2.1' } as const

const SUBJECTS: Readonly<Record<Rule['subject'], string>> = {
  document: 'requests and answers',
  request: 'requests',
  answer: 'answers',
  pair: 'answers compared with their request',
  reply: 'replies to valid requests',
  refusal: 'replies to faulty requests',
  related: 'several answers of one key provider',
}

function severityText(severity: Severity | 'off'): string {
  return severity === 'off' ? 'not checked' : severity
}

/** Wraps text at 120 characters; the lines of a list item are indented by two spaces. */
function wrapped(text: string): string {
  const indent = text.startsWith('- ') ? '  ' : ''
  const lines: string[] = []
  let line = ''
  for (const word of text.replaceAll('<', '\\<').split(' ')) {
    if (line !== '' && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent + word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].join('\n')
}
