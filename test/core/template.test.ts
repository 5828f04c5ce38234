import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  base64,
  concat,
  type Filling,
  fillSkeleton,
  fillText,
  holeOf,
  type Template,
  toSkeleton,
  utf8Bytes,
  utf16leBytes,
} from '../../src/core/template.ts'

interface Named extends Filling {
  readonly value: string
}
const filling = (value: string): Named => ({ memo: new Map(), value })
const hole = (length: number): Template<Named> => holeOf(length, ({ value }) => value)

test('a hole survives UTF-16, base64 and base64 inside base64, at any place', () => {
  const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 9 })
  fc.assert(
    fc.property(
      ascii,
      ascii,
      fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 24 }),
      (before, after, value) => {
        const plain = concat(before, hole(value.length), after)
        const nested = base64(concat('<', base64(utf16leBytes(plain)), '>'))
        const expected = btoa(`<${Buffer.from(before + value + after, 'utf16le').toString('base64')}>`)
        assert.equal(fillText(nested, filling(value)), expected)
      },
    ),
  )
})

test('text before a hole may take several bytes a character', () => {
  const template = concat('ключ «', hole(4), '» 🔑')
  assert.equal(fillSkeleton(toSkeleton(template), filling('abcd')).toString(), 'ключ «abcd» 🔑')
  const encoded = fillText(base64(utf8Bytes(template)), filling('abcd'))
  assert.equal(Buffer.from(encoded, 'base64').toString(), 'ключ «abcd» 🔑')
})

test('a skeleton holds nothing of what it was filled with', () => {
  const skeleton = toSkeleton(base64(concat('key=', hole(16))))
  const before = Buffer.from(skeleton.bytes)
  const filled = fillSkeleton(skeleton, filling('0123456789abcdef'))
  assert.equal(Buffer.from(filled.toString(), 'base64').toString(), 'key=0123456789abcdef')
  assert.deepEqual(skeleton.bytes, before)
})

test('two holes in one base64 group are rejected when the template is made', () => {
  assert.throws(() => base64(concat(hole(1), hole(1))), RangeError)
})
