import { KeyProviderError } from '../../core/errors.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { RootKey, WrapContext } from '../../keys/ports/root-key.ts'

/** The first byte of a wrapped data key says which kind of root key wrapped it. It never changes. */
export const WRAPPED_BY = { local: 1, awsKms: 2, vault: 3 } as const

/** A wrapping by a service: kind ‖ length ‖ name of its key ‖ what the service gave. */
export interface ServiceWrapping {
  readonly keyName: string
  readonly ciphertext: Uint8Array
}

export function encodeWrapping(kind: number, { keyName, ciphertext }: ServiceWrapping): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.of(kind), lengthPrefixed([keyName]), ciphertext]))
}

/** The parts of a wrapping; undefined when a root key of another kind made it. Throws ERR_SEAL_BROKEN for one that was cut. */
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

/** The context as additional data, the same whatever order its members came in. */
export function contextBytes(context: WrapContext): Buffer {
  return lengthPrefixed([
    'keyspring/data-key/v1',
    ...Object.entries(context)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flat(),
  ])
}

/** The one error of a wrapped data key that does not open, whatever is wrong with it. */
export function wrappingBroken(cause?: unknown): KeyProviderError {
  return new KeyProviderError(
    'ERR_SEAL_BROKEN',
    'a stored data key does not open: it was altered, damaged or moved from another row; restore it from a backup of the store',
    { cause },
  )
}

/** A root key that cannot be asked just now. */
export function rootKeyUnavailable(name: string, problem: string, cause: unknown): KeyProviderError {
  return new KeyProviderError('ERR_ROOT_KEY_UNAVAILABLE', `the root key ${name} cannot be used: ${problem}`, { cause })
}

/** Wraps with `current`; opens also what the `previous` root keys wrapped, until everything was wrapped anew. */
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
