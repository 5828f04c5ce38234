import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, type JsonValue } from '../../../src/operations/audit/record.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly input?: string
  readonly canonical?: string
  readonly values?: readonly string[]
  readonly numbers?: readonly (readonly [string, string])[]
  readonly refused?: readonly string[]
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/canonical-json.json', import.meta.url), 'utf8'),
) as readonly Vector[]
const numberOf = (bits: string): number => Buffer.from(bits, 'hex').readDoubleBE()

for (const { name, origin, input, canonical, values, numbers = [], refused = [] } of vectors) {
  describe(`canonical JSON: ${name} (${origin})`, () => {
    const spelled = input === undefined ? '' : canonicalJson(JSON.parse(input))
    if (canonical !== undefined) {
      test('has these bytes', () => assert.equal(Buffer.from(spelled).toString('hex'), canonical))
    }
    if (values !== undefined) {
      test('has this order', () => assert.deepEqual(inOrder(spelled), values))
    }
    for (const [bits, text] of numbers) {
      test(`writes ${bits} as ${text}`, () => assert.equal(canonicalJson(numberOf(bits)), text))
    }
    for (const bits of refused) {
      test(`rejects ${bits}`, () => assert.throws(() => canonicalJson(numberOf(bits)), RangeError))
    }
  })
}

/** The values as they are written: parsing would put `1` first. */
function inOrder(text: string): readonly string[] {
  return [...text.matchAll(/:"([^"]*)"[,}]/g)].map(([, value = '']) => value)
}

test('rejects a lone surrogate, in a value and in a name', () => {
  assert.throws(() => canonicalJson('\ud800'), RangeError)
  assert.throws(() => canonicalJson({ '\udead': 1 }), RangeError)
})

test('leaves out members that are undefined', () => assert.equal(canonicalJson({ b: undefined, a: 1 }), '{"a":1}'))

test('canonical JSON is what was written, and its own canonical form', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value as JsonValue)
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
      assert.equal(canonicalJson(JSON.parse(text)), text)
    }),
  )
})
