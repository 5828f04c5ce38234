import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

/** Certificates made when a test runs, so that no private key stands in the repository. */

export interface Wanted {
  readonly publicKey: KeyObject
  readonly validFrom?: number
  readonly validTo?: number
}

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const NULL = 0x05
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
/** sha256WithRSAEncryption (1.2.840.113549.1.1.11) and commonName (2.5.4.3). */
const SHA256_WITH_RSA = Buffer.from('2a864886f70d01010b', 'hex')
const COMMON_NAME = Buffer.from('550403', 'hex')

const signer = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** A key pair of RSA. */
export function rsaKeys(modulusLength: number): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
  return generateKeyPairSync('rsa', { modulusLength })
}

/** An RSA public key that belongs to nobody: making a pair of 16384 bits takes minutes. */
export function rsaPublicKey(modulusLength: number, exponent: Uint8Array = Buffer.from('010001', 'hex')): KeyObject {
  const modulus = randomBytes(modulusLength / 8)
  modulus.writeUInt8(modulus.readUInt8(0) | 0x80, 0)
  modulus.writeUInt8(modulus.readUInt8(modulus.length - 1) | 1, modulus.length - 1)
  return publicKeyOf(modulus, exponent)
}

/** One whose modulus is even: it can be read, but nothing can be encrypted with it. */
export function evenPublicKey(): KeyObject {
  const modulus = Buffer.alloc(256, 0xaa)
  return publicKeyOf(modulus, Buffer.from('010001', 'hex'))
}

function publicKeyOf(modulus: Uint8Array, exponent: Uint8Array): KeyObject {
  const jwk = {
    kty: 'RSA',
    n: Buffer.from(modulus).toString('base64url'),
    e: Buffer.from(exponent).toString('base64url'),
  }
  return createPublicKey({ key: jwk, format: 'jwk' })
}

/** The DER of a certificate of this public key. @see RFC 5280, 4.1 */
export function certificateOf({
  publicKey,
  validFrom = Date.UTC(2026, 0, 1),
  validTo = Date.UTC(2027, 0, 1),
}: Wanted): Buffer {
  const algorithm = der(SEQUENCE, der(OBJECT_ID, SHA256_WITH_RSA), der(NULL))
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8_STRING, Buffer.from('test')))),
  )
  const toBeSigned = der(
    SEQUENCE,
    der(INTEGER, Buffer.of(1)),
    algorithm,
    name,
    der(SEQUENCE, utcTime(validFrom), utcTime(validTo)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha256', toBeSigned, signer.privateKey)
  return der(SEQUENCE, toBeSigned, algorithm, der(BIT_STRING, Buffer.of(0), signature))
}

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const length = content.length < 0x80 ? Buffer.of(content.length) : longLength(content.length)
  return Buffer.concat([Buffer.of(tag), length, content])
}

function longLength(length: number): Buffer {
  const hex = length.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.of(0x80 | bytes.length), bytes])
}

function utcTime(time: number): Buffer {
  const text = new Date(time).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return der(UTC_TIME, Buffer.from(text.slice(2)))
}
