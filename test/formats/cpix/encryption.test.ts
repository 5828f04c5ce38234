import assert from 'node:assert/strict'
import {
  constants,
  createCipheriv,
  createHmac,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  createDocumentEncryption,
  type EncryptedValue,
  openDocumentEncryption,
} from '../../../src/formats/cpix/encryption.ts'
import { fromHex, vectors } from '../drm/vectors.ts'
import { rsaKeys } from './certificates.ts'

interface Vector {
  readonly origin: string
  readonly documentKey: string
  readonly macKey: string
  readonly iv: string
  readonly contentKey: string
  readonly cipherValue: string
  readonly valueMac: string
}
const vector = vectors<Vector>('content-key-encryption.json')
const { publicKey, privateKey } = rsaKeys(2048)
const refused = { code: 'ERR_KEY_UNWRAP_FAILED' }

const oaep = (key: KeyObject) => ({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' })
const wrap = (bytes: Uint8Array): string => publicEncrypt(oaep(publicKey), bytes).toString('base64')
const unwrap = (text: string): string => privateDecrypt(oaep(privateKey), Buffer.from(text, 'base64')).toString('hex')

/** Randomness that says what is asked of it, one size after the other. */
function given(...hex: readonly string[]): (size: number) => Uint8Array {
  const queue = hex.map(fromHex)
  return (size) => {
    const next = queue.shift() ?? assert.fail('more randomness than expected')
    assert.equal(next.length, size)
    return next
  }
}

describe(`content key encryption (${vector.origin})`, () => {
  const encryption = createDocumentEncryption(given(vector.documentKey, vector.macKey, vector.iv))
  const wrapped = encryption.wrapFor({ publicKey })
  const opened = openDocumentEncryption(
    { documentKey: wrap(fromHex(vector.documentKey)), macKey: wrap(fromHex(vector.macKey)) },
    privateKey,
  )

  test('encrypts to the published value and MAC', () => {
    const { cipherValue, valueMac } = vector
    assert.deepEqual(encryption.encrypt(fromHex(vector.contentKey)), { cipherValue, valueMac })
  })

  test('wraps both keys for the holder of the private key', () => {
    assert.equal(unwrap(wrapped.documentKey.cipherValue), vector.documentKey)
    assert.equal(unwrap(wrapped.macKey.cipherValue), vector.macKey)
  })

  test('puts a MAC over what RSA made of each key', () => {
    for (const { cipherValue, valueMac } of Object.values(wrapped)) {
      const mac = createHmac('sha512', fromHex(vector.macKey)).update(Buffer.from(cipherValue, 'base64'))
      assert.equal(valueMac, mac.digest('base64'))
    }
  })

  test('decrypts the published value', () => {
    assert.equal(Buffer.from(opened.decrypt(vector)).toString('hex'), vector.contentKey)
  })

  test('rejects a value with any bit of it or of its MAC changed', () => {
    for (const name of ['cipherValue', 'valueMac'] as const) {
      const bytes = Buffer.from(vector[name], 'base64')
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const changed = Buffer.from(bytes)
        changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
        assert.throws(() => opened.decrypt({ ...vector, [name]: changed.toString('base64') }), refused)
      }
    }
  })

  test('rejects every truncation', () => {
    for (const name of ['cipherValue', 'valueMac'] as const) {
      const bytes = Buffer.from(vector[name], 'base64')
      for (let length = 0; length < bytes.length; length++) {
        const cut = bytes.subarray(0, length).toString('base64')
        assert.throws(() => opened.decrypt({ ...vector, [name]: cut }), refused)
      }
    }
  })

  /** What somebody who has the keys could send: the MAC is right, what it covers is not. */
  const forged = (cipher: Uint8Array): EncryptedValue => ({
    cipherValue: Buffer.from(cipher).toString('base64'),
    valueMac: createHmac('sha512', fromHex(vector.macKey)).update(cipher).digest('base64'),
  })
  const encrypted = (clear: Uint8Array, padding = true): Buffer => {
    const cipher = createCipheriv('aes-256-cbc', fromHex(vector.documentKey), fromHex(vector.iv)).setAutoPadding(
      padding,
    )
    return Buffer.concat([fromHex(vector.iv), cipher.update(clear), cipher.final()])
  }
  for (const [what, cipher] of [
    ['nothing', Buffer.alloc(0)],
    ['an IV alone', fromHex(vector.iv)],
    ['a broken padding', encrypted(Buffer.alloc(32), false)],
    ['half a block', encrypted(Buffer.alloc(16)).subarray(0, 40)],
    ['a block and a half', Buffer.concat([encrypted(Buffer.alloc(16)), Buffer.alloc(8)])],
    ['a key of 15 bytes', encrypted(Buffer.alloc(15))],
    ['a key of 17 bytes', encrypted(Buffer.alloc(17))],
    ['a key of 24 bytes', encrypted(Buffer.alloc(24))],
    ['a key of 48 bytes', encrypted(Buffer.alloc(48))],
  ] as const) {
    test(`rejects ${what} under a right MAC, in the same words`, () => {
      assert.throws(() => opened.decrypt(forged(cipher)), {
        ...refused,
        message: 'the encrypted keys cannot be read with this private key',
      })
    })
  }

  test('takes a key of 32 bytes, which other schemes have', () => {
    const key = randomBytes(32)
    assert.deepEqual(Buffer.from(opened.decrypt(forged(encrypted(key)))), key)
  })

  const [documentKey, macKey] = [wrap(fromHex(vector.documentKey)), wrap(fromHex(vector.macKey))]
  for (const [what, keys, reader] of [
    ['another private key', { documentKey, macKey }, rsaKeys(2048).privateKey],
    ['a short document key', { documentKey: wrap(Buffer.alloc(16)), macKey }, privateKey],
    ['a short MAC key', { documentKey, macKey: wrap(Buffer.alloc(32)) }, privateKey],
    ['the keys exchanged', { documentKey: macKey, macKey: documentKey }, privateKey],
    ['no keys', { documentKey: '', macKey: '' }, privateKey],
  ] as const) {
    test(`rejects ${what}, in the same words`, () => {
      assert.throws(() => openDocumentEncryption(keys, reader), {
        ...refused,
        message: 'the encrypted keys cannot be read with this private key',
      })
    })
  }
})

test('decrypt inverts encrypt, and no two encryptions are alike', () => {
  const encryption = createDocumentEncryption(randomBytes)
  const { documentKey, macKey } = encryption.wrapFor({ publicKey })
  const opened = openDocumentEncryption(
    { documentKey: documentKey.cipherValue, macKey: macKey.cipherValue },
    privateKey,
  )
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (key) => {
      const [first, second] = [encryption.encrypt(key), encryption.encrypt(key)]
      assert.deepEqual(new Uint8Array(opened.decrypt(first)), key)
      assert.notEqual(first.cipherValue, second.cipherValue)
      assert.equal(Buffer.from(first.cipherValue, 'base64').length, 48)
      assert.equal(Buffer.from(first.valueMac, 'base64').length, 64)
    }),
  )
})
