import { holeOf, type Part } from '../../core/template.ts'
import type { KeyFilling, SignalInput } from './system.ts'

/** The explicitIV of an answer in canonical base64 (24 characters), or undefined when none is returned. */
export function explicitIvBase64(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 'base64', 24)
}

/** The same in lower-case hex (32 characters). */
export function explicitIvHex(input: SignalInput): Part<KeyFilling> | undefined {
  return explicitIvIn(input, 'hex', 32)
}

function explicitIvIn(
  { explicitIv, kid }: SignalInput,
  encoding: 'base64' | 'hex',
  length: number,
): Part<KeyFilling> | undefined {
  if (explicitIv === undefined) return undefined
  if (explicitIv !== 'derived') return Buffer.from(explicitIv, 'base64').toString(encoding)
  return holeOf(length, (filling) => Buffer.from(filling.keyAndIv(kid).explicitIv).toString(encoding))
}
