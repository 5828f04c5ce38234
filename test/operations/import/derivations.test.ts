import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { derivePlayReadyKey } from '../../../src/formats/drm/payloads/playready-key-seed.ts'
import { checkValue } from '../../../src/operations/contents/keys.ts'
import { deriveReferenceServerKey } from '../../../src/operations/import/reference-server.ts'
import { fromBase64, fromHex, kidOf, vectors } from '../../formats/drm/vectors.ts'

interface Pair {
  readonly kid: string
  readonly key: string
}
const reference = vectors<{ origin: string; contents: { secret: string; keys: Pair[] }[] }>('reference-server.json')
const playready = vectors<{ origin: string; seed: string; keys: Pair[] }>('playready-key-seed.json')

describe(`the derivation of the reference server (${reference.origin})`, () => {
  for (const { secret, keys } of reference.contents) {
    for (const { kid, key } of keys) {
      test(`gives ${kid} its key`, async () => {
        assert.equal((await deriveReferenceServerKey(secret, kid)).toString('hex'), key)
      })
    }
  }

  test('tells kids in another letter case apart: the text is what counts', () => {
    const [lower, upper] = reference.contents[0]?.keys ?? []
    assert.equal(lower?.kid, upper?.kid.toLowerCase())
    assert.notEqual(lower?.key, upper?.key)
  })
})

describe(`a PlayReady key seed (${playready.origin})`, () => {
  const seed = fromBase64(playready.seed)
  for (const { kid, key } of playready.keys) {
    test(`gives ${kid} its key`, () => {
      assert.equal(derivePlayReadyKey(seed, kidOf(kid)).toString('hex'), key)
    })
  }

  test('counts with its first 30 bytes alone', () => {
    const [{ kid, key } = assert.fail()] = playready.keys
    assert.equal(derivePlayReadyKey(Buffer.concat([seed, Buffer.of(1, 2)]), kidOf(kid)).toString('hex'), key)
    const changed = Buffer.from(seed)
    changed.writeUInt8(changed.readUInt8(29) ^ 1, 29)
    assert.notEqual(derivePlayReadyKey(changed, kidOf(kid)).toString('hex'), key)
  })

  test('of 29 bytes is rejected', () => {
    const [{ kid } = assert.fail()] = playready.keys
    assert.throws(() => derivePlayReadyKey(seed.subarray(0, 29), kidOf(kid)), RangeError)
  })
})

test('a check value is the start of AES over zeros (NIST AESAVS, KeySbox)', () => {
  assert.equal(checkValue(fromHex('10a58869d74be5a374cf867cfb473859')), '6d251e')
  assert.equal(checkValue(fromHex('caea65cdbb75e9169ecd22ebe6e54675')), '6e2920')
})
