import assert from 'node:assert/strict'
import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ContentKeyClass, type Kid, kidOfBytes, toKid } from '../../../src/formats/cenc.ts'
import { assertIvIsNotKey, derivation, expand, type KidLabel } from '../../../src/keys/crypto/derive.ts'

interface ExpandVector {
  readonly name: string
  readonly origin: string
  readonly prk: string
  readonly info: string
  readonly okm: string
}

interface KeyVector {
  readonly name: string
  readonly origin: string
  readonly secret: string
  readonly contentKeyClass: ContentKeyClass
  readonly tenant: string
  readonly contentId: string
  readonly kid: string
  readonly contentKey: string
  readonly explicitIv: string
}

interface KidVector {
  readonly name: string
  readonly origin: string
  readonly secret: string
  readonly label: KidLabel
  readonly tenant: string
  readonly contentId: string
  readonly parts: readonly string[]
  readonly kid: string
}

const read = (name: string) => JSON.parse(readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'))
const secretOf = (hex: string): KeyObject => createSecretKey(Buffer.from(hex, 'hex'))
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const kidOf = (text: string): Kid => toKid(text) ?? assert.fail(text)
const SECRET = secretOf('11'.repeat(32))
const KID = kidOf('0294b959-9d75-5de2-bbf0-fdca3fa5eab7')

for (const { name, origin, prk, info, okm } of read('hkdf') as ExpandVector[]) {
  test(`expands to the first 16 bytes of ${name} (${origin})`, () => {
    assert.equal(hex(expand(secretOf(prk), Buffer.from(`${info}01`, 'hex'))), okm)
  })
}

for (const vector of read('content-keys') as KeyVector[]) {
  test(`derives ${vector.name} (${vector.origin})`, () => {
    const { contentKey, explicitIv } = derivation(secretOf(vector.secret), vector).keyAndIv(
      vector.contentKeyClass,
      kidOf(vector.kid),
    )
    assert.equal(hex(contentKey), vector.contentKey)
    assert.equal(hex(explicitIv), vector.explicitIv)
  })
}

for (const vector of read('derived-kids') as KidVector[]) {
  test(`derives the kid of ${vector.name} (${vector.origin})`, () => {
    assert.equal(derivation(secretOf(vector.secret), vector).kid(vector.label, vector.parts), vector.kid)
  })
}

test('is what HKDF gives for an input whose extract is the secret', () => {
  // HKDF-Extract(salt, ikm) = HMAC(salt, ikm): this is the secret that node's own HKDF then expands.
  const [salt, ikm] = [Buffer.from('salt'), Buffer.from('input')]
  const secret = createSecretKey(createHmac('sha256', salt).update(ikm).digest())
  const lp = (text: string): string => {
    const length = Buffer.byteLength(text)
    return `${String.fromCharCode(length >> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255)}${text}`
  }
  const info = Buffer.from(`keyspring/content-key/v1\x02${lp('tenant')}${lp('x'.repeat(256))}`, 'latin1')
  const kid = Buffer.from(KID.replaceAll('-', ''), 'hex')
  const expected = hkdfSync('sha256', ikm, salt, Buffer.concat([info, kid]), 16)
  const { contentKey } = derivation(secret, { tenant: 'tenant', contentId: 'x'.repeat(256) }).keyAndIv('drm', KID)
  assert.equal(hex(contentKey), hex(new Uint8Array(expected)))
})

describe('what goes into a key', () => {
  const keyOf = (tenant: string, contentId: string, contentKeyClass: ContentKeyClass = 'drm', kid = KID): string =>
    hex(derivation(SECRET, { tenant, contentId }).keyAndIv(contentKeyClass, kid).contentKey)

  test('a boundary shifted between tenant and contentId gives another key', () => {
    assert.notEqual(keyOf('a', 'bc'), keyOf('ab', 'c'))
  })
  test('the two classes of a kid have two keys', () => {
    assert.notEqual(keyOf('a', 'b', 'clear'), keyOf('a', 'b', 'drm'))
  })
  test('an override alone gets the IV that the derived key would have', () => {
    const derived = derivation(SECRET, { tenant: 'a', contentId: 'b' })
    assert.deepEqual(derived.explicitIv('drm', KID), derived.keyAndIv('drm', KID).explicitIv)
  })
  test('an earlier answer is not changed by a later one', () => {
    const derived = derivation(SECRET, { tenant: 'a', contentId: 'b' })
    const first = derived.keyAndIv('drm', KID)
    const copy = { contentKey: hex(first.contentKey), explicitIv: hex(first.explicitIv) }
    derived.keyAndIv('clear', kidOfBytes(new Uint8Array(16)))
    assert.deepEqual({ contentKey: hex(first.contentKey), explicitIv: hex(first.explicitIv) }, copy)
  })
})

test('refuses an IV that is the key', () => {
  const same = new Uint8Array(16).fill(7)
  assert.throws(() => assertIvIsNotKey({ contentKey: same, explicitIv: new Uint8Array(same) }), {
    code: 'ERR_SELF_TEST_FAILED',
  })
})

const FEW_KIDS = [
  kidOf('00000000-0000-4000-8000-000000000001'),
  kidOf('00000000-0000-4000-8000-000000000002'),
  kidOf('ffffffff-ffff-4fff-bfff-ffffffffffff'),
] as const

test('20 000 contents that share a few kids have keys of their own, and no IV is a key', () => {
  const seen = new Set<string>()
  const inputs = new Set<string>()
  const name = fc.string({ unit: 'grapheme', maxLength: 12 })
  const keyClass = fc.constantFrom<ContentKeyClass>('clear', 'drm')
  // Few kids, so that nearly every key has others of the same kid to differ from.
  const kid = fc.constantFrom(...FEW_KIDS)
  fc.assert(
    fc.property(name, name, keyClass, kid, (tenant, contentId, contentKeyClass, kid) => {
      const input = JSON.stringify([tenant, contentId, contentKeyClass, kid])
      if (inputs.has(input)) return
      inputs.add(input)
      const { contentKey, explicitIv } = derivation(SECRET, { tenant, contentId }).keyAndIv(contentKeyClass, kid)
      seen.add(hex(contentKey)).add(hex(explicitIv))
    }),
    { numRuns: 20_000 },
  )
  assert.ok(inputs.size > 10 * FEW_KIDS.length)
  assert.equal(seen.size, inputs.size * 2)
})

describe('a key and an IV change with', () => {
  const base = { tenant: 'studio', contentId: 'movie', contentKeyClass: 'drm' as ContentKeyClass, kid: FEW_KIDS[0] }
  const changes: Readonly<Record<string, Partial<typeof base>>> = {
    'the tenant': { tenant: 'studio2' },
    'the content': { contentId: 'movie2' },
    'the class': { contentKeyClass: 'clear' },
    'the kid': { kid: FEW_KIDS[1] },
    'the border between tenant and content': { tenant: 'studiom', contentId: 'ovie' },
  }
  const keyAndIvOf = ({ tenant, contentId, contentKeyClass, kid }: typeof base) => {
    const { contentKey, explicitIv } = derivation(SECRET, { tenant, contentId }).keyAndIv(contentKeyClass, kid)
    return [hex(contentKey), hex(explicitIv)]
  }
  for (const [what, change] of Object.entries(changes)) {
    test(what, () => {
      const [before, after] = [keyAndIvOf(base), keyAndIvOf({ ...base, ...change })]
      assert.equal(new Set([...before, ...after]).size, 4)
    })
  }
})
