import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { boundedCache } from '../../src/core/bounded-cache.ts'

const sizeOf = (value: number): number => value

test('what was used lately is kept, what was not goes first', () => {
  const cache = boundedCache<number>(20, sizeOf)
  for (const key of ['a', 'b', 'c']) cache.set(key, 5)
  assert.equal(cache.get('a'), 5)
  for (const key of ['d', 'e']) cache.set(key, 5)
  assert.equal(cache.get('a'), 5)
  assert.equal(cache.get('b'), undefined)
})

test('a value that is too large is not kept, and takes the one before it with it', () => {
  const cache = boundedCache<number>(20, sizeOf)
  cache.set('a', 5)
  cache.set('a', 11)
  assert.equal(cache.get('a'), undefined)
})

test('it never answers with another value than the last one set', () => {
  const step = fc.tuple(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), fc.option(fc.integer({ min: 1, max: 12 })))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = boundedCache<number>(20, sizeOf)
      const last = new Map<string, number>()
      for (const [key, value] of steps) {
        if (value === null) {
          const found = cache.get(key)
          assert.ok(found === undefined || found === last.get(key))
        } else {
          cache.set(key, value)
          last.set(key, value)
        }
      }
    }),
  )
})

test('of many values of one size it keeps half of what fits at least, and never more than fits', () => {
  const cache = boundedCache<number>(100, () => 1)
  for (let i = 0; i < 1000; i++) cache.set(String(i), i)
  const kept = Array.from({ length: 1000 }, (_, i) => String(i)).filter((key) => cache.get(key) !== undefined)
  assert.ok(kept.length >= 50 && kept.length <= 100, `${kept.length}`)
  assert.ok(kept.includes('999'))
})
