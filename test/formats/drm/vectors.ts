import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { type Kid, kidOfBytes, type SystemId, systemIdOf, toKid } from '../../../src/formats/cenc.ts'

/** The vectors of a file in test/vectors. Each names its `origin`: none was made by the code it tests. */
export function vectors<T>(file: string): T {
  return JSON.parse(readFileSync(new URL(`../../vectors/${file}`, import.meta.url), 'utf8')) as T
}

export const fromHex = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'))
export const fromBase64 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'))

export function kidOf(text: string): Kid {
  const kid = toKid(text)
  if (kid === undefined) throw new TypeError(`not a kid: ${text}`)
  return kid
}

const sixteenBytes = fc.uint8Array({ minLength: 16, maxLength: 16 })
export const anyKid: fc.Arbitrary<Kid> = sixteenBytes.map(kidOfBytes)
export const anySystemId: fc.Arbitrary<SystemId> = sixteenBytes.map((bytes) => systemIdOf(kidOfBytes(bytes)))

/** The shape of playready.json. */
export interface PlayReadyVectors {
  readonly origin: string
  readonly kid: string
  readonly key: string
  readonly laUrl: string
  readonly objects: readonly {
    readonly version: string
    readonly algid: string
    readonly header: string
    readonly object: string
    readonly sha256: string
    readonly pssh: string
    readonly size: number
    readonly record: number
    readonly box: number
    readonly checksum?: string
  }[]
  readonly twoKids: { readonly kids: readonly string[]; readonly header: string }
  readonly checksums: readonly {
    readonly origin: string
    readonly kid: string
    readonly key: string
    readonly checksum: string
  }[]
}
