import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import type { RootKey, WrapContext } from '../../keys/ports/root-key.ts'
import type { RootKeyGeneration } from './file.ts'
import { contextBytes, WRAPPED_BY, wrappingBroken } from './wrapping.ts'

const ID = 8
const NONCE = 12
const TAG = 16
const HEADER = 1 + ID
const ALGORITHM = 'aes-256-gcm'

/**
 * A root key with these generations; the last is the current one. A wrapped key is 0x01 ‖ key id ‖ nonce ‖ AES-256-GCM
 * ciphertext ‖ tag, with the context as additional data. The bytes passed in are overwritten.
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
      const cipher = createCipheriv(ALGORITHM, current, nonce).setAAD(contextBytes(context))
      const ciphertext = [cipher.update(dataKey), cipher.final(), cipher.getAuthTag()]
      return new Uint8Array(Buffer.concat([Buffer.of(WRAPPED_BY.local), currentId, nonce, ...ciphertext]))
    },

    async unwrap(wrapped, context) {
      const id = idOf(wrapped)
      if (id === undefined) return undefined
      const key = keys.get(id)
      return key === undefined ? undefined : open(key, wrapped, context)
    },

    describe(wrapped) {
      const id = idOf(wrapped)
      return id !== undefined && keys.has(id) ? `local ${id}` : undefined
    },

    isNewest: (wrapped) => idOf(wrapped) === currentId.toString('hex'),

    async close() {
      keys.clear()
    },
  }
}

function open(key: KeyObject, wrapped: Uint8Array, context: WrapContext): Uint8Array {
  if (wrapped.length < HEADER + NONCE + TAG) throw wrappingBroken()
  const nonce = wrapped.subarray(HEADER, HEADER + NONCE)
  const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG }).setAAD(contextBytes(context))
  decipher.setAuthTag(wrapped.subarray(wrapped.length - TAG))
  const dataKey = decipher.update(wrapped.subarray(HEADER + NONCE, wrapped.length - TAG))
  try {
    decipher.final()
  } catch (cause) {
    dataKey.fill(0)
    throw wrappingBroken(cause)
  }
  return new Uint8Array(dataKey)
}

/** The id of the local root key that made this wrapping; undefined for another kind of root key. */
function idOf(wrapped: Uint8Array): string | undefined {
  if (wrapped[0] !== undefined && wrapped[0] !== WRAPPED_BY.local) return undefined
  if (wrapped.length < HEADER) throw wrappingBroken()
  return Buffer.from(wrapped.subarray(1, HEADER)).toString('hex')
}
