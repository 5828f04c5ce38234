import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonShapeProblem } from '../../src/core/json-shape.ts'

const LIMITS = { depth: 3, values: 5, members: 2 }
const problemOf = (text: string) => jsonShapeProblem(Buffer.from(text), LIMITS)

test('accepts JSON up to the limits', () => {
  for (const text of [
    '',
    '1',
    '"[[[[[,,,,,,,,"',
    '[[[1]]]',
    '{"a":1,"b":2}',
    '["\\"[[[[", 2]',
    '[] [] [] []',
    ']]]]',
    ':',
  ])
    assert.equal(problemOf(text), undefined, text)
})

test('rejects deep nesting and many values', () => {
  assert.equal(problemOf('[[[[1]]]]'), 'expected at most 3 nested arrays and objects')
  assert.equal(problemOf('{"a":{"b":{"c":{}}}}'), 'expected at most 3 nested arrays and objects')
  assert.equal(problemOf('[1,2,3,4,5,6,7]'), 'expected at most 5 values')
  assert.equal(problemOf('{"a":1,"b":2,"c":3}'), 'expected at most 2 members in an object')
  assert.equal(problemOf('[{"a":1},{"a":1},{"a":1}]'), undefined)
  assert.equal(problemOf('{"a":{"b":1},"c":1,"d":1}'), 'expected at most 2 members in an object')
})

test('reads text that is cut within a string or an escape', () => {
  for (const text of ['"', '"\\', '["a', '["a\\']) assert.equal(problemOf(text), undefined)
})
