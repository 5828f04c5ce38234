import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withVerifiedTls } from '../../../../src/adapters/store/postgres/pool.ts'

test('a URL of another machine gets verified TLS unless it sets sslmode', () => {
  const base = 'postgres://keys:secret@db.example:5432/keys'
  assert.equal(withVerifiedTls(base), `${base}?sslmode=verify-full`)
  assert.equal(withVerifiedTls(`${base}?application_name=a`), `${base}?application_name=a&sslmode=verify-full`)
  for (const url of [
    `${base}?sslmode=disable`,
    `${base}?sslmode=require`,
    'postgres://keys:secret@127.0.0.1:5432/keys',
    'postgres://keys:secret@localhost/keys',
    'postgres://keys:secret@[::1]/keys',
    'postgres:///keys?host=/var/run/postgresql',
  ])
    assert.equal(withVerifiedTls(url), url)
})
