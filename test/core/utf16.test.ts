import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeUtf16be, decodeUtf16le, encodeUtf16le } from '../../src/core/utf16.ts'
import { sourceFiles } from '../source-files.ts'

/** The bytes at an odd address, with `tail` after them. */
function unaligned(bytes: Uint8Array, tail = 0): Buffer {
  const whole = Buffer.alloc(1 + bytes.length + tail)
  whole.set(bytes, 1)
  return whole.subarray(1)
}

test('decodes text at any address, and ignores an odd last byte', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 900 }), fc.constantFrom(0, 1), (text, tail) => {
      const bytes = encodeUtf16le(text)
      assert.equal(decodeUtf16le(unaligned(bytes, tail)), text)
      assert.equal(decodeUtf16be(unaligned(Buffer.from(bytes).swap16(), tail)), text)
    }),
  )
})

test('decodes an odd number of bytes at an odd address without damage to the heap', () => {
  for (let i = 0; i < 500; i++) assert.equal(decodeUtf16le(Buffer.alloc(1674).subarray(1)).length, 836)
})

test('does not change the bytes it decodes', () => {
  const bytes = unaligned(encodeUtf16le('ab'), 1)
  const before = Buffer.from(bytes)
  decodeUtf16be(bytes)
  assert.deepEqual(bytes, before)
})

for (const { path, program } of sourceFiles().filter((file) => file.path !== 'core/utf16.ts')) {
  test(`src/${path} leaves UTF-16 to core/utf16.ts`, () => {
    const found: string[] = []
    JSON.stringify(program, (key, value: unknown) => {
      if (key === 'arguments' && Array.isArray(value)) found.push(...value.map(encodingOf).filter((one) => one !== ''))
      return typeof value === 'bigint' ? String(value) : value
    })
    assert.deepEqual(
      found,
      [],
      'call decodeUtf16le or encodeUtf16le: Node 24.21 damages its heap on unaligned, odd input',
    )
  })
}

/** The name of UTF-16 that an argument of a call is; empty for any other argument. */
function encodingOf(argument: unknown): string {
  const { value } = argument as { readonly value?: unknown }
  return typeof value === 'string' && /^(?:utf-?16(?:le|be)?|ucs-?2)$/i.test(value) ? value : ''
}
