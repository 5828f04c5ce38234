import assert from 'node:assert/strict'
import { lstatSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { BootstrapToken } from '../../../src/server/assemble/bootstrap-token.ts'

const directory = mkdtempSync(join(tmpdir(), 'keyspring-token-'))
after(() => rmSync(directory, { recursive: true }))

test('creates a token that only its owner can read, in a directory that it creates', () => {
  const token = BootstrapToken.open(join(directory, 'new/data/management.token'))
  assert.equal(statSync(token.file).mode & 0o777, 0o600)
  const text = readFileSync(token.file, 'utf8').trim()
  assert.equal(token.isIn(`Bearer ${text}`), true)
  for (const other of [undefined, '', text, `Basic ${text}`, `Bearer ${text}x`, 'Bearer ']) {
    assert.equal(token.isIn(other), false, other)
  }
})

test('follows no link, and reuses no text that is not a token', () => {
  const [target, link] = [join(directory, 'target'), join(directory, 'link')]
  writeFileSync(target, 'another file', { mode: 0o600 })
  symlinkSync(target, link)
  BootstrapToken.open(link)
  assert.equal(readFileSync(target, 'utf8'), 'another file')
  assert.equal(lstatSync(link).isSymbolicLink(), false)
  BootstrapToken.open(target)
  assert.match(readFileSync(target, 'utf8'), /^ks_bootstrap_[\w-]{43}\n$/)
})
