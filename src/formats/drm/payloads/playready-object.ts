import { KeyProviderError } from '../../../core/errors.ts'
import { concat, type Filling, type Template, utf16leBytes } from '../../../core/template.ts'

/** One record of a PlayReady Object: type 1 is a WRMHEADER in UTF-16LE, 3 an embedded licence store. */
export interface PlayReadyRecord {
  readonly type: number
  readonly value: Uint8Array
}

/** The record type of a WRMHEADER. */
export const WRMHEADER_RECORD = 1

/**
 * The bytes of a PlayReady Object. Throws ERR_SIGNALING_INVALID for one larger than players accept.
 *
 * @see https://learn.microsoft.com/en-us/playready/specifications/playready-header-specification
 */
export function encodePlayReadyObject(records: readonly PlayReadyRecord[]): Uint8Array {
  const parts = records.flatMap(({ type, value }) => [recordHeader(type, value.length), value])
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  return new Uint8Array(Buffer.concat([objectHeader(size, records.length), ...parts]))
}

/** The bytes of a PlayReady Object with one record, the WRMHEADER `header`. */
export function playReadyObjectTemplate<F extends Filling>(header: Template<F>): Template<F> {
  const value = utf16leBytes(header)
  const record = recordHeader(WRMHEADER_RECORD, value.text.length)
  const start = objectHeader(record.length + value.text.length, 1)
  return concat(start.toString('latin1') + record.toString('latin1'), value)
}

/** The records, at least one, of a PlayReady Object. Throws ERR_PLAYREADY_OBJECT_INVALID for anything else. */
export function decodePlayReadyObject(bytes: Uint8Array): readonly PlayReadyRecord[] {
  const object = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (object.length < OBJECT_HEADER) throw invalid('too short')
  const size = object.readUInt32LE(0)
  if (size !== object.length) throw invalid(`says it has ${size} bytes, has ${object.length}`)
  const count = object.readUInt16LE(4)
  if (count === 0) throw invalid('has no record')

  const records: PlayReadyRecord[] = []
  let at = OBJECT_HEADER
  while (records.length < count) {
    if (at + RECORD_HEADER > object.length) throw invalid(`record ${records.length + 1} of ${count} is missing`)
    const end = at + RECORD_HEADER + object.readUInt16LE(at + 2)
    if (end > object.length) throw invalid(`record ${records.length + 1} is cut short`)
    records.push({ type: object.readUInt16LE(at), value: new Uint8Array(object.subarray(at + RECORD_HEADER, end)) })
    at = end
  }
  if (at !== object.length) throw invalid(`${object.length - at} bytes follow the last record`)
  return records
}

const OBJECT_HEADER = 6
const RECORD_HEADER = 4
const MAX_SIZE = 15 * 1024

function objectHeader(recordBytes: number, records: number): Buffer {
  const size = OBJECT_HEADER + recordBytes
  if (size > MAX_SIZE) {
    throw new KeyProviderError(
      'ERR_SIGNALING_INVALID',
      `PlayReady: the object would have ${size} bytes, ${MAX_SIZE} are allowed; list fewer kids or shorten the URLs`,
    )
  }
  const header = Buffer.alloc(OBJECT_HEADER)
  header.writeUInt32LE(size, 0)
  header.writeUInt16LE(records, 4)
  return header
}

function recordHeader(type: number, length: number): Buffer {
  const header = Buffer.alloc(RECORD_HEADER)
  header.writeUInt16LE(type, 0)
  // A wrong length is an error of the whole object.
  header.writeUInt16LE(Math.min(length, 0xffff), 2)
  return header
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_PLAYREADY_OBJECT_INVALID', `PlayReady Object: ${problem}`)
}
