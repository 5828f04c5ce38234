import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'

const ITERATIONS = 5000
const KEY_BYTES = 16
const derive = promisify(pbkdf2)

/**
 * The content key that the SPEKE reference server gives a kid of a content with this secret: PBKDF2-HMAC-SHA256 of 5000 rounds in
 * which the kid is the password and the secret is the salt, the wrong way round. Both are taken as text, so the spelling of the kid
 * counts: it is the one that the encryptor sent.
 * @see https://github.com/awslabs/speke-reference-server, src/key_generator.py
 */
export function deriveReferenceServerKey(secret: string, kidText: string): Promise<Buffer> {
  return derive(kidText, secret, ITERATIONS, KEY_BYTES, 'sha256')
}
