import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

// scripts/test.ts runs many files in one process, where a hook beside the tests of one file would be a hook of all files.
for (const file of globSync('test/**/*.test.ts', { cwd: ROOT })) {
  test(`${file} has no hooks outside of describe but after(), and no test that runs alone`, () => {
    const text = readFileSync(new URL(`../${file}`, import.meta.url), 'utf8')
    assert.doesNotMatch(text, /^(before|beforeEach|afterEach)\(/m, 'use a top-level await, or move it into describe()')
    assert.doesNotMatch(text, /\b(test|describe|it)\.only\(/)
  })
}
