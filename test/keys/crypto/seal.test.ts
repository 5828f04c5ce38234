import assert from 'node:assert/strict'
import { createSecretKey, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ContentKeyClass, toKid } from '../../../src/formats/cenc.ts'
import { type SealContext, seal, sealGeneration, unseal } from '../../../src/keys/crypto/seal.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly dataKey: string
  readonly generation: number
  readonly nonce: string
  readonly kind: 'content-secret' | 'override'
  readonly tenant: string
  readonly contentId: string
  readonly contentKeyClass: ContentKeyClass
  readonly kid: string
  readonly clear: string
  readonly blob: string
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/seal.json', import.meta.url), 'utf8')) as Vector[]
const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
const kidOf = (text: string) => toKid(text) ?? assert.fail(text)
const refused = { code: 'ERR_SEAL_BROKEN' }

function contextOf({ kind, tenant, contentId, contentKeyClass, kid }: Vector): SealContext {
  const ref = { tenant, contentId }
  return kind === 'override' ? { kind, ref, contentKeyClass, kid: kidOf(kid) } : { kind, ref }
}

for (const vector of vectors) {
  describe(`seal vector: ${vector.name} (${vector.origin})`, () => {
    const blob = fromHex(vector.blob)
    const clear = fromHex(vector.clear)
    const context = contextOf(vector)
    const key = createSecretKey(fromHex(vector.dataKey))

    test('seals to these bytes', () => {
      const { generation } = vector
      assert.deepEqual(
        seal({ generation, key }, context, clear, () => fromHex(vector.nonce)),
        blob,
      )
    })
    test('opens from these bytes', () => assert.deepEqual(new Uint8Array(unseal(key, context, blob)), clear))
    test('tells the generation of its data key', () => assert.equal(sealGeneration(blob), vector.generation))
    test('refuses every truncation', () => {
      for (let length = 0; length < blob.length; length++) {
        assert.throws(() => unseal(key, context, blob.subarray(0, length)), refused)
      }
    })
    test('refuses a trailing byte', () => assert.throws(() => unseal(key, context, Uint8Array.of(...blob, 0)), refused))
    test('refuses every changed byte that it authenticates', () => {
      for (const at of [0, ...Array.from(blob.keys()).slice(5)]) {
        const changed = blob.with(at, (blob[at] ?? 0) ^ 1)
        assert.throws(() => unseal(key, context, changed), refused)
      }
    })
  })
}

describe('a sealed override opens only in its place', () => {
  const key = createSecretKey(randomBytes(32))
  const kid = kidOf('0294b959-9d75-5de2-bbf0-fdca3fa5eab7')
  const here: SealContext = { kind: 'override', ref: { tenant: 'a', contentId: 'bc' }, contentKeyClass: 'drm', kid }
  const blob = seal({ generation: 1, key }, here, new Uint8Array(16), randomBytes)
  const elsewhere: Record<string, SealContext> = {
    'another tenant': { ...here, ref: { tenant: 'b', contentId: 'bc' } },
    'another content': { ...here, ref: { tenant: 'a', contentId: 'bd' } },
    'a shifted boundary': { ...here, ref: { tenant: 'ab', contentId: 'c' } },
    'the other class': { ...here, contentKeyClass: 'clear' },
    'another kid': { ...here, kid: kidOf('1294b959-9d75-5de2-bbf0-fdca3fa5eab7') },
    'a content secret': { kind: 'content-secret', ref: here.ref },
  }
  for (const [name, context] of Object.entries(elsewhere)) {
    test(`not as ${name}`, () => assert.throws(() => unseal(key, context, blob), refused))
  }
  test('not with another data key', () => {
    assert.throws(() => unseal(createSecretKey(randomBytes(32)), here, blob), refused)
  })
})

test('unseal inverts seal', () => {
  const key = createSecretKey(randomBytes(32))
  const name = fc.string({ unit: 'grapheme' })
  const generation = fc.integer({ min: 1, max: 0xffffffff })
  fc.assert(
    fc.property(name, name, fc.uint8Array({ minLength: 1 }), generation, (tenant, contentId, clear, number) => {
      const context: SealContext = { kind: 'content-secret', ref: { tenant, contentId } }
      const blob = seal({ generation: number, key }, context, clear, randomBytes)
      assert.equal(sealGeneration(blob), number)
      assert.deepEqual(new Uint8Array(unseal(key, context, blob)), clear)
    }),
  )
})
