import { createHash } from 'node:crypto'
import { type Kid, kidOfBytes, uuidBytes } from '../../../formats/cenc.ts'

/** Returns the version 5 UUID of a name; equal parts always give the same UUID. @see RFC 9562, 5.5 */
export function nameUuid(...parts: readonly string[]): Kid {
  const name = JSON.stringify(parts)
  const bytes = createHash('sha1').update(uuidBytes(NAMESPACE)).update(name).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x50, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return kidOfBytes(bytes)
}

/** The namespace of these names, which keeps them apart from other version 5 UUIDs. */
const NAMESPACE = '5f0f1c1e-6a53-4d5b-9d0e-2c1b7a4f8e63' as Kid
