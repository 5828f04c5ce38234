import { KeyProviderError } from '../../core/errors.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { RootKey, WrapContext } from '../../keys/ports/root-key.ts'

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
