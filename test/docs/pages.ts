import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** A page of the documentation. */
export interface Page {
  /** Its path from the root of the repository. */
  readonly file: string
  readonly text: string
}

/** A fenced block of code: its language and its lines. */
export interface Block {
  readonly language: string
  readonly text: string
}

/** The page at `file`. */
export function pageOf(file: string): Page {
  return { file, text: readFileSync(join(ROOT, file), 'utf8') }
}

/** Every page at the root and below docs/. */
export const PAGES: readonly Page[] = [
  ...readdirSync(ROOT).map((name) => name),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => join('docs', name)),
]
  .filter((file) => file.endsWith('.md'))
  .sort()
  .map(pageOf)

/** The fenced blocks of a page. */
export function blocksOf({ text }: Page): readonly Block[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map(([, language = '', block = '']) => ({
    language: language.trim(),
    text: block,
  }))
}

/** A page without its fenced blocks. */
export function proseOf({ text }: Page): string {
  return text.replace(/^```.*\n[\s\S]*?^```$/gm, '')
}

/** The cells of every table row of a text, without heads and rules. */
export function rowsOf(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n')
  return lines.flatMap((line, i) => {
    const isHead = /^\|[-| ]+\|$/.test(lines[i + 1] ?? '')
    if (!line.startsWith('|') || isHead || /^\|[-| ]+\|$/.test(line)) return []
    return [
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    ]
  })
}

/** The text between the heading `title` and the next heading of its level or above. */
export function sectionOf(page: Page, title: string): string {
  const lines = page.text.split('\n')
  const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, '') === title)
  if (start === -1) throw new Error(`${page.file} has no heading "${title}"`)
  const level = /^#+/.exec(lines[start] ?? '')?.[0].length ?? 1
  const length = lines.slice(start + 1).findIndex((line) => new RegExp(`^#{1,${level}} `).test(line))
  return lines.slice(start + 1, length === -1 ? undefined : start + 1 + length).join('\n')
}

/** The text of a cell that is code, such as `` `host` ``. */
export function codeIn(cell: string | undefined): string | undefined {
  return /^`([^`]+)`$/.exec(cell ?? '')?.[1]
}
