import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import {
  aesSigner,
  decodeWidevineSigner,
  encodeWidevineSigner,
  rsaSigner,
  signWidevineRequest,
  verifyWidevineRequest,
} from '../../../src/auth/methods/widevine-signer.ts'

interface Vector {
  readonly name: string
  readonly origin: string
  readonly request: string
  readonly signature: string
}

const vectors = JSON.parse(
  readFileSync(new URL('../../vectors/widevine-signature.json', import.meta.url), 'utf8'),
) as Vector[]

// The test credentials that shaka-packager publishes.
const KEY = Buffer.from('1ae8ccd0e7985cc0b6203a55855a1034afc252980e970ca90e5202689f947ab9', 'hex')
const IV = Buffer.from('d58ce954203b7c9a9a9d467f59839249', 'hex')
const signer = aesSigner(KEY, IV)

for (const { name, origin, request, signature } of vectors) {
  describe(`Widevine signature vector: ${name} (${origin})`, () => {
    const bytes = Buffer.from(request)
    const signed = Buffer.from(signature, 'base64')
    test('signs to it', () => assert.equal(signWidevineRequest(signer, bytes).toString('base64'), signature))
    test('verifies it', () => assert.ok(verifyWidevineRequest(signer, bytes, signed)))
    test('rejects it with any byte changed, and any truncation', () => {
      for (const at of signed.keys()) {
        assert.equal(verifyWidevineRequest(signer, bytes, signed.with(at, (signed[at] ?? 0) ^ 1)), false)
        assert.equal(verifyWidevineRequest(signer, bytes, signed.subarray(0, at)), false)
      }
    })
    test('rejects it for a request with any byte changed', () => {
      for (const at of bytes.keys()) {
        assert.equal(verifyWidevineRequest(signer, bytes.with(at, (bytes[at] ?? 0) ^ 1), signed), false)
      }
    })
  })
}

test('accepts a hash that is padded with zeros', () => {
  const request = Buffer.from(vectors[0]?.request ?? '')
  const zeroPadded = Buffer.from('ga80QzRuUM+jnPcoR6UWsyYm/fUukDOI6RfhE6SbMt4=', 'base64')
  assert.ok(verifyWidevineRequest(signer, request, zeroPadded))
})

describe('a signer by RSA', () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signing = rsaSigner(pemOf(privateKey))
  const checking = rsaSigner(pemOf(publicKey))
  const request = Buffer.from('{"content_id":"YQ=="}')

  test('is checked by its public key', () => {
    const signature = signWidevineRequest(signing, request)
    assert.ok(verifyWidevineRequest(checking, request, signature))
    assert.equal(verifyWidevineRequest(checking, request, signature.with(9, (signature[9] ?? 0) ^ 1)), false)
    assert.equal(verifyWidevineRequest(checking, Buffer.from('{}'), signature), false)
  })

  test('is stored as its public key only', () => {
    const stored = decodeWidevineSigner('rsa', encodeWidevineSigner(signing))
    assert.equal(stored.key.type, 'public')
    assert.ok(verifyWidevineRequest(stored, request, signWidevineRequest(signing, request)))
  })

  test('is rejected below 2048 bits', () => {
    const { privateKey: weak } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    assert.throws(() => rsaSigner(pemOf(weak)), { code: 'ERR_CONFIG_INVALID' })
  })
})

test('decodeWidevineSigner inverts encodeWidevineSigner', () => {
  const request = Buffer.from('{}')
  const stored = decodeWidevineSigner('aes', encodeWidevineSigner(signer))
  assert.deepEqual(signWidevineRequest(stored, request), signWidevineRequest(signer, request))
})

test('an AES signer of other sizes is rejected', () => {
  assert.throws(() => aesSigner(KEY.subarray(16), IV), { code: 'ERR_CONFIG_INVALID' })
  assert.throws(() => aesSigner(KEY, KEY), { code: 'ERR_CONFIG_INVALID' })
})

function pemOf(key: KeyObject): string {
  return String(key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }))
}
