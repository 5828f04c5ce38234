import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BoundedCache } from '../../src/core/bounded-cache.ts'

/** The bytes of an entry whose value counts nothing. */
const ENTRY = ((): number => {
  const cache = new BoundedCache<number>({ maxBytes: 10_000, sizeOf: () => 0 })
  cache.set('a', 0)
  return cache.bytes
})()
/** A cache for `entries` entries of 5 bytes each. */
const cacheFor = (entries: number): BoundedCache<number> =>
  new BoundedCache({ maxBytes: entries * (ENTRY + 5), sizeOf: (value) => value })

test('keeps the values that were used last and drops the others first', () => {
  const cache = cacheFor(4)
  for (const key of ['a', 'b', 'c']) cache.set(key, 5)
  assert.equal(cache.get('a'), 5)
  for (const key of ['d', 'e']) cache.set(key, 5)
  assert.equal(cache.get('a'), 5)
  assert.equal(cache.get('b'), undefined)
})

test('does not keep a value of more than half of the cache, and drops the value it replaces', () => {
  const cache = cacheFor(4)
  cache.set('a', 5)
  cache.set('a', 2 * ENTRY)
  assert.equal(cache.get('a'), undefined)
  assert.equal(cache.bytes, 0)
})

test('counts the bytes of a long key', () => {
  const cache = cacheFor(4)
  cache.set('k'.repeat(ENTRY), 5)
  assert.equal(cache.bytes, 0)
})

test('never returns another value than the last one set, nor one that was deleted, and never exceeds its bytes', () => {
  const step = fc.tuple(
    fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
    fc.oneof(fc.integer({ min: 1, max: 3 * ENTRY }), fc.constantFrom('get' as const, 'delete' as const)),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const cache = cacheFor(4)
      const last = new Map<string, number>()
      for (const [key, action] of steps) {
        if (action === 'get') {
          const found = cache.get(key)
          assert.ok(found === undefined || found === last.get(key))
        } else if (action === 'delete') {
          cache.delete(key)
          last.delete(key)
        } else {
          cache.set(key, action)
          last.set(key, action)
        }
        assert.ok(cache.bytes >= 0 && cache.bytes <= 4 * (ENTRY + 5), `${cache.bytes}`)
      }
      for (const key of last.keys()) cache.delete(key)
      assert.equal(cache.bytes, 0)
    }),
  )
})

test('keeps at least half of the values that fit, and never more than fit', () => {
  const cache = new BoundedCache<number>({ maxBytes: 100 * (ENTRY + 10), sizeOf: () => 0 })
  for (let i = 0; i < 1000; i++) cache.set(String(i), i)
  const kept = Array.from({ length: 1000 }, (_, i) => String(i)).filter((key) => cache.get(key) !== undefined)
  assert.ok(kept.length >= 50 && kept.length <= 110, `${kept.length}`)
  assert.ok(kept.includes('999'))
})
