import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, test } from 'node:test'
import { PACKAGE } from '../cli/run.ts'
import { blocksOf, PAGES, type Page, pageOf, proseOf } from './pages.ts'

/** Links within the repository. */
const LINK = /\[[^\]]*\]\(([^)\s]+)\)/g

/** What a heading is linked to by, as GitHub makes it. */
function anchorsOf(page: Page): ReadonlySet<string> {
  const seen = new Map<string, number>()
  const anchors = [...proseOf(page).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => {
    const anchor = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, '')
      .replaceAll(' ', '-')
    const times = seen.get(anchor) ?? 0
    seen.set(anchor, times + 1)
    return times === 0 ? anchor : `${anchor}-${times}`
  })
  return new Set(anchors)
}

describe('links', () => {
  for (const page of PAGES) {
    const links = [...proseOf(page).matchAll(LINK)].flatMap(([, target = '']) =>
      /^[a-z]+:/.test(target) ? [] : [target],
    )
    for (const target of new Set(links)) {
      test(`${page.file} links to ${target}`, () => {
        const [path = '', anchor] = target.split('#')
        const file = path === '' ? page.file : normalize(join(dirname(page.file), path))
        assert.ok(existsSync(join(PACKAGE, file)), `there is no ${file}`)
        if (anchor !== undefined) assert.ok(anchorsOf(pageOf(file)).has(anchor), `${file} has no heading #${anchor}`)
      })
    }
  }
})

test('every page but the changelog is linked to', () => {
  const linked = new Set(
    PAGES.flatMap((page) =>
      [...proseOf(page).matchAll(LINK)].map(([, target = '']) =>
        normalize(join(dirname(page.file), target.split('#')[0] ?? '')),
      ),
    ),
  )
  const lonely = PAGES.map(({ file }) => file).filter((file) => file !== 'README.md' && !linked.has(file))
  assert.deepEqual(lonely, [])
})

/** Texts that do not belong on a page: paths of a machine, how it was written, and marketing. */
const UNWANTED: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['the path of a machine', /(?<![\w.…/-])\/(?:home|root|work|tmp|Users|usr|opt)\//],
  ['a host of a package registry', /registry\.|npmjs|jfrog|artifactory|nexus/i],
  ['a word of how it was written', /\b(?:sessions?|assistants?|prompts?)\b/],
  [
    'a word of marketing',
    /\b(?:robust(?!ness)|seamless\w*|powerful|blazing\w*|cutting-edge|enterprise-grade|best-in-class|effortless\w*)\b/i,
  ],
]

describe('words', () => {
  for (const page of PAGES) {
    for (const [what, pattern] of UNWANTED) {
      test(`${page.file} holds no ${what}`, () => assert.doesNotMatch(page.text, pattern))
    }

    test(`${page.file} is wrapped`, () => {
      const long = proseOf(page)
        .split('\n')
        .filter((line) => line.length > 125 && !line.startsWith('|') && !line.startsWith('- `'))
      assert.deepEqual(long, [])
    })
  }
})

describe('guides', () => {
  for (const page of PAGES.filter(({ file }) => file.startsWith('docs/guides/'))) {
    test(`${page.file} starts with what the reader has at its end`, () => {
      const [, first = ''] = page.text.split(/\n\n/)
      assert.match(first, /^At the end, /)
    })
  }

  test('are in the table of contents', () => {
    const { text } = pageOf('docs/README.md')
    for (const { file } of PAGES.filter(({ file }) => file.startsWith('docs/guides/')))
      assert.ok(text.includes(`(${file.replace('docs/', '')})`), file)
  })
})

test('every fence is closed', () => {
  for (const page of PAGES) {
    const fences = page.text.match(/^ *```/gm)?.length ?? 0
    assert.equal(fences % 2, 0, page.file)
    assert.ok(blocksOf(page).length <= fences / 2, page.file)
  }
})
