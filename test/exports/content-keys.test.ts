import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { readCpixKeys } from '../../src/exports/content-keys.ts'
import { readXml } from '../../src/formats/xml/reader.ts'
import { certificateOf, rsaKeys } from '../formats/cpix/certificates.ts'
import { answering, VECTOR_KEY, VECTOR_KID } from '../protocols/speke/answering.ts'
import { requestFor } from '../protocols/speke/documents.ts'

const { publicKey, privateKey } = rsaKeys(2048)
const certificate = certificateOf({ publicKey }).toString('base64')
const deliveryData = `<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`
const request = requestFor({ kids: [VECTOR_KID] })
const clear = (await answering()('2.0', request)).xml
const encrypted = (await answering()('2.0', requestFor({ kids: [VECTOR_KID] }, { deliveryData }))).xml
const read = (xml: string, options?: Parameters<typeof readCpixKeys>[1]) =>
  readCpixKeys(readXml(Buffer.from(xml)), options)

const key = {
  kid: VECTOR_KID,
  commonEncryptionScheme: 'cenc',
  explicitIv: undefined,
  contentKey: new Uint8Array(VECTOR_KEY),
}

test('reads keys in the clear', () => assert.deepEqual(read(clear), [key]))

test('reads encrypted keys with the private key', () => assert.deepEqual(read(encrypted, { privateKey }), [key]))

test('a requested key, or one for another recipient, is undefined', () => {
  for (const keys of [read(request), read(encrypted), read(encrypted, { privateKey: rsaKeys(2048).privateKey })]) {
    assert.deepEqual(keys, [{ ...key, contentKey: undefined }])
  }
})

test('rejects a key with a wrong MAC', () => {
  const macs = [...encrypted.matchAll(/(?<=ValueMAC>)[^<]+/g)].map(([mac]) => mac)
  const changed = encrypted.replace(macs.at(-1) ?? '', randomBytes(64).toString('base64'))
  assert.throws(() => read(changed, { privateKey }), {
    code: 'ERR_KEY_UNWRAP_FAILED',
    message: /^CPIX\/ContentKeyList\/ContentKey: its ValueMAC/,
  })
})

test('rejects an invalid key without repeating it', () => {
  const secret = Buffer.alloc(12, 5).toString('base64')
  assert.throws(
    () => read(clear.replace(VECTOR_KEY.toString('base64'), secret)),
    (error: Error & { code?: string }) => error.code === 'ERR_CPIX_INVALID' && !error.message.includes(secret),
  )
})
