import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { RootKey, WrapContext } from '../../keys/ports/root-key.ts'
import type { RootKeyGeneration } from './file.ts'

/** The first byte of a wrapped data key names the kind of root key that wrapped it. These values never change. */
export const WRAPPED_BY = { local: 1, awsKms: 2, vault: 3 } as const

/** A wrapping made by a service: kind ‖ length ‖ name of the service's key ‖ ciphertext. */
export interface ServiceWrapping {
  readonly keyName: string
  readonly ciphertext: Uint8Array
}

export function encodeWrapping(kind: number, { keyName, ciphertext }: ServiceWrapping): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.of(kind), lengthPrefixed([keyName]), ciphertext]))
}

/** The parts of a wrapping; undefined for another kind of root key. Throws ERR_SEAL_BROKEN for a truncated one. */
export function decodeWrapping(kind: number, wrapped: Uint8Array): ServiceWrapping | undefined {
  const [first] = wrapped
  if (first === undefined) throw wrappingBroken()
  if (first !== kind) return undefined
  const bytes = Buffer.from(wrapped)
  if (bytes.length < 5) throw wrappingBroken()
  const end = 5 + bytes.readUInt32BE(1)
  if (end >= bytes.length) throw wrappingBroken()
  return { keyName: bytes.toString('utf8', 5, end), ciphertext: new Uint8Array(bytes.subarray(end)) }
}

/** The context as additional data. The result does not depend on the order of its members. */
export function contextBytes(context: WrapContext): Buffer {
  return lengthPrefixed([
    'keyspring/data-key/v1',
    ...Object.entries(context)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flat(),
  ])
}

/** The error for every wrapped data key that does not open. It never says which check failed. */
export function wrappingBroken(cause?: unknown): KeyProviderError {
  return new KeyProviderError(
    'ERR_SEAL_BROKEN',
    'a stored data key does not open: it was altered, damaged or moved from another row; restore it from a backup of the store',
    { cause },
  )
}

/** The error for a root key that is unavailable. */
export function rootKeyUnavailable(name: string, problem: string, cause: unknown): KeyProviderError {
  return new KeyProviderError('ERR_ROOT_KEY_UNAVAILABLE', `the root key ${name} cannot be used: ${problem}`, { cause })
}

/** Wraps with `current` and opens what `current` or a previous root key wrapped, until everything is wrapped again. */
export function rootKeyChain(current: RootKey, previous: readonly RootKey[]): RootKey {
  const all = [current, ...previous]
  return {
    ...current,
    async unwrap(wrapped, context) {
      for (const one of all) {
        const dataKey = await one.unwrap(wrapped, context)
        if (dataKey !== undefined) return dataKey
      }
      return undefined
    },
    describe: (wrapped) => firstOf(all, (one) => one.describe?.(wrapped)),
    isNewest: (wrapped) => current.describe?.(wrapped) !== undefined && current.isNewest?.(wrapped) !== false,
    async close() {
      for (const one of all) await one.close()
    },
  }
}

function firstOf<T>(all: readonly RootKey[], find: (one: RootKey) => T | undefined): T | undefined {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

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
