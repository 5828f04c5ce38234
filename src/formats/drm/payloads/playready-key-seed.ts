import { createHash } from 'node:crypto'
import { guidBytes, type Kid } from '../../cenc.ts'

/** The used bytes of a key seed. A seed can be longer. */
export const KEY_SEED_BYTES = 30
const KEY_BYTES = 16

/**
 * The content key that a PlayReady key seed gives a kid. The seed has at least `KEY_SEED_BYTES`; the kid goes in as PlayReady
 * writes it, little-endian.
 * @see https://learn.microsoft.com/en-us/playready/specifications/playready-key-seed
 */
export function derivePlayReadyKey(keySeed: Uint8Array, kid: Kid): Buffer {
  if (keySeed.length < KEY_SEED_BYTES) throw new RangeError(`a key seed has at least ${KEY_SEED_BYTES} bytes`)
  const seed = keySeed.subarray(0, KEY_SEED_BYTES)
  const guid = guidBytes(kid)
  const hashes = [
    [seed, guid],
    [seed, guid, seed],
    [seed, guid, seed, guid],
  ].map(sha256)
  const key = Buffer.alloc(KEY_BYTES)
  for (const digest of hashes)
    for (const [i, byte] of digest.entries()) key[i % KEY_BYTES] = (key[i % KEY_BYTES] ?? 0) ^ byte
  for (const digest of hashes) digest.fill(0)
  return key
}

function sha256(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
