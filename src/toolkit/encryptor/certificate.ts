import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A recipient of encrypted keys: its certificate and its private key. */
interface NewRecipient {
  /** DER. */
  readonly certificate: Uint8Array
  readonly privateKey: KeyObject
}

/**
 * Generates an RSA-2048 key pair with a self-signed certificate, valid from one day before to one day after `now`
 * (milliseconds since 1970). The certificate has a SHA-512 signature, as AWS encryptors require.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/content-key-encryption.html
 */
export function newRecipient(
  now: number,
  randomBytes: (size: number) => Uint8Array,
  commonName = 'keyspring request',
): NewRecipient {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const algorithm = der(SEQUENCE, der(OBJECT_ID, SHA512_WITH_RSA), der(NULL))
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, der(OBJECT_ID, COMMON_NAME), der(UTF8_STRING, Buffer.from(commonName)))),
  )
  const serial = Buffer.from(randomBytes(16))
  // A positive integer of constant length.
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0)
  const toBeSigned = der(
    SEQUENCE,
    der(VERSION, der(INTEGER, Buffer.of(2))),
    der(INTEGER, serial),
    algorithm,
    name,
    der(SEQUENCE, utcTime(now - DAY), utcTime(now + DAY)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
  )
  const signature = sign('sha512', toBeSigned, privateKey)
  const certificate = der(SEQUENCE, toBeSigned, algorithm, der(BIT_STRING, Buffer.of(0), signature))
  return { certificate, privateKey }
}

const DAY = 24 * 60 * 60 * 1000

/** Tags of DER. @see X.690, 8 */
const SEQUENCE = 0x30
const SET = 0x31
const VERSION = 0xa0
const INTEGER = 0x02
const BIT_STRING = 0x03
const NULL = 0x05
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const UTC_TIME = 0x17
/** sha512WithRSAEncryption (1.2.840.113549.1.1.13) and commonName (2.5.4.3). */
const SHA512_WITH_RSA = Buffer.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d)
const COMMON_NAME = Buffer.of(0x55, 0x04, 0x03)

function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content])
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length)
  const hex = length.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  return Buffer.concat([Buffer.of(0x80 | bytes.length), bytes])
}

function utcTime(time: number): Buffer {
  const text = new Date(time).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return der(UTC_TIME, Buffer.from(text.slice(2)))
}
