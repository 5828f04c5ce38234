import { RULE_GROUPS, type Rule, type Severity } from './rule.ts'
import { VIEWPOINTS } from './viewpoints.ts'

const WIDTH = 120

/** The page of a rule, as it stands in docs/rules. */
export function rulePage(rule: Rule): string {
  const exceptions = VIEWPOINTS.flatMap((as) => {
    const severity = rule.severityAs?.[as]
    return severity === undefined || severity === rule.severity ? [] : [`${severityText(severity)} with \`--as ${as}\``]
  })
  const severity = [severityText(rule.severity), ...exceptions].join(', ')
  const versions =
    rule.majors === undefined ? 'SPEKE 1.0, 2.0 and 2.1' : rule.majors.map((one) => MAJORS[one]).join(', ')
  return [
    `# ${rule.id}`,
    wrapped(`${rule.title}.`),
    wrapped(`- **Severity:** ${severity}`),
    wrapped(`- **Applies to:** ${SUBJECTS[rule.subject]}, ${versions}`),
    wrapped(`- **Source:** ${rule.clause}`),
    '## Why it matters',
    wrapped(rule.why),
    '## How to mend it',
    wrapped(rule.mend),
    `[All rules](README.md)`,
    '',
  ]
    .join('\n\n')
    .replaceAll(/\n\n(- \*\*(?:Applies|Source))/g, '\n$1')
    .trimEnd()
    .concat('\n')
}

/** The page that lists every rule, group by group. */
export function rulesIndexPage(rules: readonly Rule[]): string {
  const groups = Object.entries(RULE_GROUPS).map(([group, title]) => {
    const rows = rules
      .filter((rule) => rule.group === group)
      .map(({ id, severity, title: holds }) => `| [${id}](${id}.md) | ${severityText(severity)} | ${holds} |`)
    return [`## ${title}`, '', '| Rule | Severity | What holds |', '|---|---|---|', ...rows, ''].join('\n')
  })
  return `# Rules\n\n${INTRODUCTION}\n\n${groups.join('\n')}`.trimEnd().concat('\n')
}

const INTRODUCTION = wrapped(
  'What `keyspring lint` holds a CPIX document to, and `keyspring verify` a key provider. An *error* stops encryptors or players, or puts a key at risk; a *warning* does so with some; a *note* is better mended. `--as` names an encryptor, whose demands may be stricter.',
)

const MAJORS = { 1: 'SPEKE 1.0', 2: 'SPEKE 2.0 and 2.1' } as const

const SUBJECTS: Readonly<Record<Rule['subject'], string>> = {
  document: 'requests and answers',
  request: 'requests',
  answer: 'answers',
  pair: 'answers beside their request',
  reply: 'replies to right requests',
  refusal: 'replies to wrong requests',
  related: 'several answers of one key provider',
}

function severityText(severity: Severity | 'off'): string {
  return severity === 'off' ? 'not looked at' : severity
}

/** Text in lines of at most 120 characters; a list item goes on two spaces in. */
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
