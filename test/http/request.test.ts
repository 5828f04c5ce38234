import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requestIdOf } from '../../src/http/request.ts'

for (const own of ['a', 'A-z_0.9', 'x'.repeat(128)]) {
  test(`the caller's id ${own.slice(0, 9)} (${own.length}) is kept`, () => assert.equal(requestIdOf(own), own))
}

for (const odd of [undefined, '', 'x'.repeat(129), 'a b', 'a\n', 'é', 'a"', ['a', 'b']]) {
  test(`${JSON.stringify(odd)?.slice(0, 20)} is replaced by an id of our own`, () => {
    const id = requestIdOf(odd)
    assert.match(id, /^[a-z0-9-]{14,40}$/)
    assert.notEqual(requestIdOf(odd), id)
  })
}
