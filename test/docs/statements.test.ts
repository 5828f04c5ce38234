import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { OPERATIONS } from '../../src/http/api/operations/operations.ts'
import { PACKAGE } from '../cli/run.ts'
import { blocksOf, PAGES, proseOf } from './pages.ts'

/**
 * Sentences that say that something is missing. They become wrong without anybody who adds it noticing. Each that is right
 * is listed here, with a part of its text and what shows that it is still right.
 */
const STILL_MISSING: readonly (readonly [file: string, text: string, isStillMissing: () => boolean])[] = [
  ['docs/guides/run-on-your-machines.md', 'version 0.1.0 is not published', () => packageVersion() === '0.1.0'],
]

const MISSING =
  /\bnot (?:there |supported |implemented |looked at |served |serve that path |published )?\[?yet\b|\bnot published\b|\bnot supported (?:today|so far)\b|\b(?:is|are) planned\b|\bwhich Keyspring does not (?:answer|serve|support)\b|\bKeyspring does not (?:answer|serve|support) (?:GET|POST|CPIX|SPEKE|AES|ClearKey|th[ei])|\b(?:refused|rejected) today\b/i

const packageVersion = (): string => JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8')).version

/** Statements that these pages made after they had become wrong. */
const WERE_STALE = [
  'A CPIX URL for Unified Origin needs CPIX by GET, which is [not there yet](README.md).',
  'Without `--cpix_request_file` it asks with GET, which Keyspring does not answer.',
  'HLS AES-128 and ClearKey: the URLs in the answer are not served [yet](README.md).',
  'Keyspring does not serve that path [yet](README.md): players get 404.',
  '`Authorization` is not looked at yet.',
  'It is refused today, rightly by SPEKE.',
]

describe('statements that something is missing', () => {
  test('are found in the forms that went stale before', () => {
    for (const sentence of WERE_STALE) assert.match(sentence, MISSING)
  })

  for (const { file, text } of PAGES.filter(({ file }) => file !== 'CHANGELOG.md')) {
    test(`${file} makes none that is not known to be right`, () => {
      const sentences = text.replaceAll(/\s+/g, ' ').split(/(?<=[.;:|]) /)
      const unknown = sentences.filter(
        (sentence) =>
          MISSING.test(sentence) &&
          !/\bnot yet (?:valid|been)\b|\bnot valid yet\b|not-yet|has yet to/i.test(sentence) &&
          !STILL_MISSING.some(([place, part]) => place === file && sentence.includes(part)),
      )
      assert.deepEqual(
        unknown,
        [],
        'correct the sentence, or list it in STILL_MISSING with what shows that it is right',
      )
    })
  }

  for (const [file, part, isStillMissing] of STILL_MISSING) {
    test(`${file}: "${part}" is still right`, () => {
      const page = PAGES.find((one) => one.file === file)
      assert.ok(page?.text.replaceAll(/\s+/g, ' ').includes(part), 'the sentence is gone: remove it here too')
      assert.ok(isStillMissing(), 'this exists now: correct the sentence')
    })
  }
})

/** Settings that let callers or players in without proof. */
const OPENS =
  /\ballowAnonymous: true\b|\baccess: open\b|KEYSPRING_ALLOW_ANONYMOUS=true|KEYSPRING_PLAYBACK_ACCESS=open|--allow-anonymous/

describe('examples that open keys or callers to everyone', () => {
  const blocks = PAGES.flatMap((page) =>
    blocksOf(page)
      .filter(({ text }) => OPENS.test(text))
      .map(({ text }, i) => ({ title: `${page.file}, example ${i + 1}`, text })),
  )
  for (const { title, text } of blocks) {
    test(`${title} says so in the same block`, () => {
      const comments = text.match(/#.*/g) ?? []
      assert.ok(
        comments.some((comment) => /\b(?:every|any)(?:one|body)?\b/i.test(comment)),
        'add a comment that says who gets keys: "# Every caller gets keys: …"',
      )
    })
  }
})

/** Paths of HTTP requests that pages show, such as `GET /copyProtectionData/{contentId}`. */
const REQUEST = /`(GET|POST|PUT|DELETE) (\/api\/[^\s`?]*)/g

test('operations of the management API that pages name exist', () => {
  const known = new Set(OPERATIONS.map(({ method, path }) => `${method.toUpperCase()} ${path}`))
  for (const page of PAGES)
    for (const [, method = '', path = ''] of proseOf(page).matchAll(REQUEST))
      assert.ok(known.has(`${method} ${path}`), `${page.file}: ${method} ${path}`)
})

/** What a reader can install today: the clone with its development packages, and the package that is built from it. */
const INSTALLABLE = [/^npm ci\b/, /^(?:sudo )?npm install --global "(?:\.|\$PWD)\/\$\(npm pack --silent\)"$/]

test('pages install only what can be installed', () => {
  for (const page of PAGES)
    for (const { text } of blocksOf(page).filter(({ language }) => language === 'sh'))
      for (const line of text.split('\n').filter((one) => /^(?:sudo )?npm (?:ci|i|install)\b/.test(one)))
        assert.ok(
          INSTALLABLE.some((form) => form.test(line)),
          `${page.file}: ${line}`,
        )
})
