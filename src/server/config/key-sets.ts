import { createPrivateKey, createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import type { PlayerTokenAlgorithm, PlayerTokenKey } from '../../auth/players/token.ts'
import { KeyProviderError } from '../../core/errors.ts'

/** A key of a key set that may sign player tokens. */
interface KeySetKey {
  readonly id: string
  readonly algorithm: PlayerTokenAlgorithm
  readonly jwk: JsonWebKey
}

/** The keys of a key set in JSON, without those of other algorithms. Throws ERR_CONFIG_INVALID. @see RFC 7517, 5 */
export function readKeySetFile(text: string): readonly KeySetKey[] {
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    // The message of JSON.parse quotes the text, which may hold a secret.
    throw invalid('expected JSON')
  }
  const { keys } = Object(set) as { readonly keys?: unknown }
  if (!Array.isArray(keys)) throw invalid('expected a key set: {"keys": […]}')
  const usable = keys.flatMap(readKey)
  if (usable.length === 0) throw invalid('expected a key of HS256, EdDSA (Ed25519) or RS256, with its kid')
  return usable
}

/** The keys that verify tokens: of a private key, its public part. */
export function checkingKeys(keys: readonly KeySetKey[]): readonly PlayerTokenKey[] {
  return keys.map(({ id, algorithm, jwk }) => ({
    id,
    algorithm,
    key: toKey(() => (algorithm === 'HS256' ? secretOf(jwk) : createPublicKey({ key: jwk, format: 'jwk' }))),
  }))
}

/** The keys that can sign tokens: secrets and private keys. */
export function signingKeys(keys: readonly KeySetKey[]): readonly PlayerTokenKey[] {
  return keys
    .filter(({ algorithm, jwk }) => algorithm === 'HS256' || jwk.d !== undefined)
    .map(({ id, algorithm, jwk }) => ({
      id,
      algorithm,
      key: toKey(() => (algorithm === 'HS256' ? secretOf(jwk) : createPrivateKey({ key: jwk, format: 'jwk' }))),
    }))
}

const ALGORITHM_OF: Readonly<Record<string, PlayerTokenAlgorithm>> = { oct: 'HS256', OKP: 'EdDSA', RSA: 'RS256' }

function readKey(jwk: unknown): readonly KeySetKey[] {
  const { kid, kty, alg, use } = Object(jwk) as JsonWebKey
  const algorithm = ALGORITHM_OF[String(kty)]
  const isOther =
    (alg !== undefined && alg !== algorithm && !(alg === 'Ed25519' && algorithm === 'EdDSA')) || use === 'enc'
  if (typeof kid !== 'string' || algorithm === undefined || isOther) return []
  return [{ id: kid, algorithm, jwk: jwk as JsonWebKey }]
}

function secretOf({ k }: JsonWebKey): KeyObject {
  return createSecretKey(Buffer.from(typeof k === 'string' ? k : '', 'base64url'))
}

function toKey(read: () => KeyObject): KeyObject {
  try {
    return read()
  } catch {
    throw invalid('one of the keys cannot be read')
  }
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_CONFIG_INVALID', `key set (JWKS): ${problem}`)
}
