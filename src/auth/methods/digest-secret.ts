import { createHash } from 'node:crypto'

/** The algorithms of Digest that are offered, the strongest first, and their names in node:crypto. @see RFC 7616, 6.1 */
export const DIGEST_ALGORITHMS = { 'SHA-256': 'sha256', MD5: 'md5' } as const
export type DigestAlgorithm = keyof typeof DIGEST_ALGORITHMS

/** H(user:realm:password) by each algorithm, in hex. It is a secret: with it a client answers challenges of the realm. */
export type DigestSecret = Readonly<Record<DigestAlgorithm, string>>

const SHA256_BYTES = 32

/** The secret of a user of a realm. @see RFC 7616, 3.4.2 */
export function digestSecret(user: string, realm: string, password: string): DigestSecret {
  const a1 = `${user}:${realm}:${password}`
  return { 'SHA-256': digestHash('SHA-256', a1), MD5: digestHash('MD5', a1) }
}

/** The bytes of a secret, to be sealed. */
export function encodeDigestSecret(secret: DigestSecret): Buffer {
  return Buffer.from(secret['SHA-256'] + secret.MD5, 'hex')
}

export function decodeDigestSecret(bytes: Buffer): DigestSecret {
  return { 'SHA-256': bytes.toString('hex', 0, SHA256_BYTES), MD5: bytes.toString('hex', SHA256_BYTES) }
}

/** H of RFC 7616, 3.3, in hex. */
export function digestHash(algorithm: DigestAlgorithm, text: string): string {
  return createHash(DIGEST_ALGORITHMS[algorithm]).update(text).digest('hex')
}

/** The input of the response to a challenge; `ha1` is from a `DigestSecret`. */
interface DigestResponseInput {
  readonly algorithm: DigestAlgorithm
  readonly ha1: string
  readonly method: string
  readonly uri: string
  readonly nonce: string
  readonly nc: string
  readonly cnonce: string
}

/** The response with qop=auth. @see RFC 7616, 3.4.1; RFC 2617, 3.2.2.1 */
export function digestResponse({ algorithm, ha1, method, uri, nonce, nc, cnonce }: DigestResponseInput): string {
  const ha2 = digestHash(algorithm, `${method}:${uri}`)
  return digestHash(algorithm, `${ha1}:${nonce}:${nc}:${cnonce}:auth:${ha2}`)
}
