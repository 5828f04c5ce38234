import { holeOf, type Part } from '../../core/template.ts'
import type { KeyFilling, SignalInput } from './system.ts'

/** The explicitIV of an answer in canonical base64 (24 characters); undefined if none is returned. */
export function explicitIvBase64(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 24, (bytes) => bytes.toString('base64'))
}

/** The same in lower-case hex (32 characters). */
export function explicitIvHex(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 32, (bytes) => bytes.toString('hex'))
}

/** The same as an attribute of an HLS line has it, without `0x`: upper-case hex. @see RFC 8216, 4.2 (hexadecimal-sequence) */
export function explicitIvHlsHex(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 32, (bytes) => bytes.toString('hex').toUpperCase())
}

function explicitIvIn(
  { explicitIv, kid }: SignalInput,
  length: number,
  encode: (bytes: Buffer) => string,
): Part<KeyFilling> | undefined {
  if (explicitIv === undefined) return undefined
  if (explicitIv !== 'derived') return encode(Buffer.from(explicitIv, 'base64'))
  return holeOf(length, (filling) => encode(Buffer.from(filling.keyAndIv(kid).explicitIv)))
}
