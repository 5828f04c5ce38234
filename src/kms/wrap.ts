import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { KeyProviderError } from '../errors.ts'
import { lengthPrefixed } from '../keys/length-prefixed.ts'
import type { RootKey } from '../keys/store.ts'
import type { RootKeyGeneration } from './root-key-file.ts'

type Context = Readonly<Record<string, string>>

const VERSION = 1
const ID = 8
const NONCE = 12
const TAG = 16
const HEADER = 1 + ID
const ALGORITHM = 'aes-256-gcm'

/**
 * The root key of these generations, the last is current. Wrapped: version ‖ key id ‖ nonce ‖ AES-256-GCM ciphertext ‖ tag, with
 * the context as additional data. The bytes of the generations are overwritten.
 */
export function rootKeyOf(generations: readonly RootKeyGeneration[]): RootKey {
  const keys = new Map<string, KeyObject>()
  for (const { id, key } of generations) {
    keys.set(id.toString('hex'), createSecretKey(key))
    key.fill(0)
  }
  const currentId = generations.at(-1)?.id
  const current = currentId && keys.get(currentId.toString('hex'))
  if (currentId === undefined || current === undefined) throw new TypeError('a root key without generations')

  return {
    async wrap(dataKey, context) {
      const nonce = randomBytes(NONCE)
      const cipher = createCipheriv(ALGORITHM, current, nonce).setAAD(additionalData(context))
      const ciphertext = [cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]
      return new Uint8Array(Buffer.concat([Buffer.of(VERSION), currentId, nonce, ...ciphertext]))
    },

    async unwrap(wrapped, context) {
      if (wrapped.length < HEADER || wrapped[0] !== VERSION) throw broken()
      const key = keys.get(Buffer.from(wrapped.subarray(1, HEADER)).toString('hex'))
      return key === undefined ? undefined : open(key, wrapped, context)
    },

    async close() {
      keys.clear()
    },
  }
}

function open(key: KeyObject, wrapped: Uint8Array, context: Context): Uint8Array {
  if (wrapped.length < HEADER + NONCE + TAG) throw broken()
  const nonce = wrapped.subarray(HEADER, HEADER + NONCE)
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG }).setAAD(additionalData(context))
  decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG))
  const dataKey = decipher.update(wrapped.subarray(HEADER + NONCE, wrapped.length - TAG))
  try {
    decipher.final()
  } catch (cause) {
    dataKey.fill(0)
    throw broken(cause)
  }
  return new Uint8Array(dataKey)
}

/** The same whatever order the members of `context` came in. */
function additionalData(context: Context): Buffer {
  return lengthPrefixed([
    'keyspring/data-key/v1',
    ...Object.entries(context)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flat(),
  ])
}

function broken(cause?: unknown): KeyProviderError {
  return new KeyProviderError(
    'ERR_SEAL_BROKEN',
    'a stored data key does not open: it was altered, damaged or moved from another row; restore it from a backup of the store',
    { cause },
  )
}
