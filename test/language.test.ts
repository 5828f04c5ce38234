import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'oxc-parser'
import { sourceFiles } from './source-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Words that make a working engineer read a sentence twice, with the plain word to use instead. */
const WORDS: readonly (readonly [word: RegExp, instead: string])[] = [
  [/\b(tells? of|told)\b/i, 'report, log, notify, emit'],
  [/\bstands?\b(?! for\b)|\bstanding\b/i, 'exists, is stored, is set'],
  [/\bmend(s|ed|ing)?\b/i, 'fix, correct'],
  [/\bwhoever\b/i, 'caller, client, operator'],
  [/\bthe like\b/i, 'name the things'],
  [/\b(what|that) became of it\b/i, 'the result'],
  [/\bis to be\b/i, 'must be'],
  [/\bby and by\b/i, 'over time'],
  [/\bso long as\b/i, 'while'],
  [/\bof then\b/i, 'at that time'],
  [/\bthereof\b/i, 'of it'],
  [/\blest\b/i, 'so that … not'],
  [/\bsees to\b/i, 'ensures'],
  [/\bcomes of\b/i, 'results from'],
  [/\btakes up\b/i, 'resumes'],
  [/\bnobody but\b/i, 'only'],
  [/\bno more than is\b/i, 'at most'],
  [/\bfor ever\b/i, 'permanently, or never expires'],
]

/** Places where a listed word is a proper name. */
const PROPER_NAMES: readonly (readonly [file: string, text: string])[] = [
  // The name of a released migration step is part of the database.
  ['src/adapters/store/postgres/schema.ts', 'the life of contents that stand already'],
]

const MAX_SUBJECT = 72
/** Commits before this one have longer subjects. */
const FIRST_CHECKED_COMMIT = 'f4cff76'

function problemsIn(
  file: string,
  texts: readonly { readonly line: number; readonly text: string }[],
): readonly string[] {
  return texts.flatMap(({ line, text }) => {
    const cleaned = PROPER_NAMES.filter(([name]) => name === file).reduce(
      (rest, [, name]) => rest.replaceAll(name, ''),
      text,
    )
    return WORDS.flatMap(([word, instead]) => {
      const found = word.exec(cleaned)?.[0]
      return found === undefined ? [] : [`${file}:${line}: "${found}", write: ${instead}`]
    })
  })
}

for (const { path, text, program } of sourceFiles()) {
  test(`src/${path} uses plain words in comments and texts`, () => {
    const lineOf = (offset: number): number => text.slice(0, offset).split('\n').length
    const found: { line: number; text: string }[] = []
    for (const { value, start } of parseSync(path, text).comments) found.push({ line: lineOf(start), text: value })
    const visit = (node: unknown): void => {
      if (Array.isArray(node)) for (const one of node) visit(one)
      if (typeof node !== 'object' || node === null) return
      const { type, value, start } = node as { type?: string; value?: unknown; start?: number }
      if (type === 'ImportDeclaration' || type === 'TSLiteralType') return
      if (type === 'Literal' && typeof value === 'string') found.push({ line: lineOf(start ?? 0), text: value })
      if (type === 'TemplateElement')
        found.push({ line: lineOf(start ?? 0), text: (value as { cooked: string }).cooked ?? '' })
      Object.values(node).forEach(visit)
    }
    visit(program.body)
    assert.deepEqual(problemsIn(`src/${path}`, found), [])
  })
}

for (const page of markdownPages()) {
  test(`${page} uses plain words`, () => {
    const lines = readFileSync(join(ROOT, page), 'utf8').split('\n')
    assert.deepEqual(
      problemsIn(
        page,
        lines.map((text, i) => ({ line: i + 1, text })),
      ),
      [],
    )
  })
}

test(`subjects of commits have at most ${MAX_SUBJECT} characters`, (t) => {
  let subjects: string
  try {
    subjects = execFileSync('git', ['log', '--format=%s', `${FIRST_CHECKED_COMMIT}..HEAD`], {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch {
    return t.skip('no history here')
  }
  assert.deepEqual(
    subjects.split('\n').filter((subject) => subject.length > MAX_SUBJECT),
    [],
  )
})

function markdownPages(): readonly string[] {
  const own = readdirSync(ROOT).filter((name) => name.endsWith('.md'))
  const below = ['docs', 'deploy', 'examples'].flatMap((folder) => {
    try {
      return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
    } catch {
      return []
    }
  })
  return [...own, ...below].filter((name) => name.endsWith('.md') && !name.includes('node_modules'))
}
