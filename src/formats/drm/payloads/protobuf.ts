/** One field of a protocol buffers message. */
export type ProtobufField =
  | { readonly number: number; readonly type: 'varint'; readonly value: number }
  | { readonly number: number; readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly number: number; readonly type: 'fixed'; readonly value: Uint8Array }

/** The bytes of a message, its fields in the order given. @see https://protobuf.dev/programming-guides/encoding/ */
export function encodeProtobuf(fields: readonly ProtobufField[]): Uint8Array {
  const bytes: number[] = []
  for (const field of fields) {
    pushVarint(bytes, field.number * 8 + wireTypeOf(field))
    if (field.type === 'varint') {
      pushVarint(bytes, field.value)
    } else {
      if (field.type === 'bytes') pushVarint(bytes, field.value.length)
      for (const byte of field.value) bytes.push(byte)
    }
  }
  return Uint8Array.from(bytes)
}

/** The fields of a message in its order, or undefined when `bytes` are none: cut short, groups, a number out of range. */
export function decodeProtobuf(bytes: Uint8Array): readonly ProtobufField[] | undefined {
  const fields: ProtobufField[] = []
  let at = 0
  while (at < bytes.length) {
    const key = readVarint(bytes, at)
    if (key === undefined) return undefined
    const number = Math.floor(key.value / 8)
    if (number < 1 || number > MAX_FIELD_NUMBER) return undefined
    const field = readField(bytes, key.end, number, key.value % 8)
    if (field === undefined) return undefined
    fields.push(field.field)
    at = field.end
  }
  return fields
}

const MAX_FIELD_NUMBER = 2 ** 29 - 1
const FIXED_SIZE: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

function wireTypeOf(field: ProtobufField): number {
  if (field.type === 'fixed') return field.value.length === 8 ? 1 : 5
  return field.type === 'varint' ? 0 : 2
}

function readField(
  bytes: Uint8Array,
  at: number,
  number: number,
  wireType: number,
): { field: ProtobufField; end: number } | undefined {
  const fixed = FIXED_SIZE[wireType]
  if (fixed !== undefined) return readBytes(bytes, at, fixed, number, 'fixed')
  const varint = readVarint(bytes, at)
  if (varint === undefined) return undefined
  if (wireType === 0) return { field: { number, type: 'varint', value: varint.value }, end: varint.end }
  return wireType === 2 ? readBytes(bytes, varint.end, varint.value, number, 'bytes') : undefined
}

function readBytes(
  bytes: Uint8Array,
  at: number,
  length: number,
  number: number,
  type: 'bytes' | 'fixed',
): { field: ProtobufField; end: number } | undefined {
  const end = at + length
  return end > bytes.length
    ? undefined
    : { field: { number, type, value: new Uint8Array(bytes.subarray(at, end)) }, end }
}

/** Rejects numbers that a double cannot represent: the fields in use have at most 32 bits. */
function readVarint(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0
  for (let index = 0; index < 8; index++) {
    const byte = bytes[at + index]
    if (byte === undefined) return undefined
    value += (byte % 0x80) * 2 ** (7 * index)
    if (byte < 0x80) return Number.isSafeInteger(value) ? { value, end: at + index + 1 } : undefined
  }
  return undefined
}

function pushVarint(bytes: number[], value: number): void {
  while (value >= 0x80) {
    bytes.push((value % 0x80) + 0x80)
    value = Math.floor(value / 0x80)
  }
  bytes.push(value)
}
