import { ALL_SETTINGS, environmentName, type Setting } from './setting-list.ts'

/** The settings that `keyspring serve` takes as flags. */
const FLAGS = ['host', 'port', 'data', 'publicUrl', 'allowAnonymous', 'logRequests']

/** The tables of docs/config.md in Markdown: the settings that the environment can hold, and those that only the file can hold. */
export function settingTables(): readonly [outside: string, inFile: string] {
  const outside = ALL_SETTINGS.filter(({ kind }) => kind !== 'tree').map((setting) => [
    `\`${setting.path}\``,
    `\`${environmentName(setting.path)}\``,
    FLAGS.includes(setting.path)
      ? `\`--${setting.path.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}\``
      : '',
    standardOf(setting),
    docOf(setting),
  ])
  const inFile = ALL_SETTINGS.filter(({ kind }) => kind === 'tree').map((setting) => [
    `\`${setting.path}\``,
    standardOf(setting),
    docOf(setting),
  ])
  return [
    table(['setting', 'environment', 'flag', 'default', 'what it does'], outside),
    table(['setting', 'default', 'what it does'], inFile),
  ]
}

/** One setting as comment lines of a YAML file, without Markdown. Throws TypeError for a path that is no setting. */
export function settingComment(path: string): string {
  const setting = ALL_SETTINGS.find((one) => one.path === path)
  if (setting === undefined) throw new TypeError(`${path}: not a setting`)
  // A sentence that is only a link leads to a section of the page.
  const text = setting.doc.replaceAll(/(?<=\.) \[[^\]]+\]\(#[^)]+\)\./g, '')
  const plain = text.replaceAll(/\[([^\]]+)\]\([^)]+\)/g, '$1').replaceAll('`', '')
  const sentences = plain.split(/(?<=\.) /)
  return sentences.map((sentence) => `# ${sentence}\n`).join('')
}

function docOf({ doc, restart }: Setting): string {
  return restart === 'value' ? `${doc} *Restart.*` : doc
}

function standardOf({ standard }: Setting): string {
  if (standard === undefined) return 'not set'
  return `\`${typeof standard === 'string' ? standard : JSON.stringify(standard)}\``
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`.replaceAll('|  |', '| |')
  return `${line(head)}|${'---|'.repeat(head.length)}\n${rows.map(line).join('')}`
}
