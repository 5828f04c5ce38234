import { KeyProviderError } from '../../../core/errors.ts'
import { type CommonEncryptionScheme, type Kid, kidOfBytes, uuidBytes } from '../../cenc.ts'

/** The message in a Widevine pssh box. Members are named after its fields. @see WidevinePsshData (proto2) */
export interface WidevinePsshData {
  /** Deprecated, but common: 1 is AESCTR. */
  readonly algorithm?: number
  readonly keyIds: readonly Kid[]
  readonly provider?: string
  readonly contentId?: Uint8Array
  /** Deprecated. */
  readonly trackType?: string
  readonly policy?: string
  readonly cryptoPeriodIndex?: number
  /** See `fourCc`. Absent or 0: cenc. */
  readonly protectionScheme?: number
  /** Every other field, in order. */
  readonly otherFields?: readonly ProtobufField[]
}

/** The bytes of `data`, fields in ascending order: the same data always gives the same bytes. */
export function encodeWidevinePsshData(data: WidevinePsshData): Uint8Array {
  const fields: ProtobufField[] = data.keyIds.map((kid) => ({ number: KEY_IDS, type: 'bytes', value: uuidBytes(kid) }))
  for (const [number, name] of NUMBERS) {
    const value = data[name]
    if (value !== undefined) fields.push({ number, type: 'varint', value })
  }
  for (const [number, name] of STRINGS) {
    const value = data[name]
    if (value !== undefined) fields.push({ number, type: 'bytes', value: Buffer.from(value) })
  }
  if (data.contentId !== undefined) fields.push({ number: CONTENT_ID, type: 'bytes', value: data.contentId })
  if (data.otherFields !== undefined) fields.push(...data.otherFields)
  return encodeProtobuf(fields.sort((left, right) => left.number - right.number))
}

/** The message in `bytes`. Throws ERR_WIDEVINE_PSSH_DATA_INVALID for anything else, and for a field that occurs twice. */
export function decodeWidevinePsshData(bytes: Uint8Array): WidevinePsshData {
  const fields = decodeProtobuf(bytes)
  if (fields === undefined) throw invalid('not a protocol buffers message')

  const keyIds: Kid[] = []
  const otherFields: ProtobufField[] = []
  const single: { -readonly [Name in keyof WidevinePsshData]?: WidevinePsshData[Name] } = {}
  const seen = new Set<number>()
  for (const field of fields) {
    if (field.number === KEY_IDS) {
      keyIds.push(keyIdOf(field))
      continue
    }
    const name = NAMES.get(field.number)
    if (name === undefined) {
      otherFields.push(field)
      continue
    }
    if (seen.has(field.number)) throw invalid(`field ${field.number} occurs twice`)
    seen.add(field.number)
    if (NUMBERS.has(field.number)) Object.assign(single, { [name]: uint32Of(field) })
    else if (field.type !== 'bytes') throw invalid(`field ${field.number} is not of its type`)
    else Object.assign(single, { [name]: field.number === CONTENT_ID ? field.value : textOf(field) })
  }
  return { ...single, keyIds, ...(otherFields.length > 0 ? { otherFields } : {}) }
}

/** The four letters of a scheme as the number that field 9 holds. */
export function fourCc(scheme: CommonEncryptionScheme): number {
  return Buffer.from(scheme, 'latin1').readUInt32BE()
}

const KEY_IDS = 2
const CONTENT_ID = 4
const NUMBERS: ReadonlyMap<number, 'algorithm' | 'cryptoPeriodIndex' | 'protectionScheme'> = new Map([
  [1, 'algorithm'],
  [7, 'cryptoPeriodIndex'],
  [9, 'protectionScheme'],
])
const STRINGS: ReadonlyMap<number, 'provider' | 'trackType' | 'policy'> = new Map([
  [3, 'provider'],
  [5, 'trackType'],
  [6, 'policy'],
])
const NAMES: ReadonlyMap<number, keyof WidevinePsshData> = new Map<number, keyof WidevinePsshData>([
  ...NUMBERS,
  ...STRINGS,
  [CONTENT_ID, 'contentId'],
])

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function keyIdOf(field: ProtobufField): Kid {
  if (field.type !== 'bytes' || field.value.length !== 16) throw invalid('field 2 is not a key id of 16 bytes')
  return kidOfBytes(field.value)
}

function uint32Of(field: ProtobufField): number {
  if (field.type !== 'varint' || field.value > 0xffffffff) throw invalid(`field ${field.number} is not a uint32`)
  return field.value
}

function textOf(field: ProtobufField & { readonly type: 'bytes' }): string {
  try {
    return UTF8.decode(field.value)
  } catch (cause) {
    throw new KeyProviderError(
      'ERR_WIDEVINE_PSSH_DATA_INVALID',
      `WidevinePsshData: field ${field.number} is not UTF-8`,
      {
        cause,
      },
    )
  }
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_WIDEVINE_PSSH_DATA_INVALID', `WidevinePsshData: ${problem}`)
}

/** One field of a protocol buffers message. */
export type ProtobufField =
  | { readonly number: number; readonly type: 'varint'; readonly value: number }
  | { readonly number: number; readonly type: 'bytes'; readonly value: Uint8Array }
  | { readonly number: number; readonly type: 'fixed'; readonly value: Uint8Array }

/** The bytes of a message, its fields in the order given. @see https://protobuf.dev/programming-guides/encoding/ */
function encodeProtobuf(fields: readonly ProtobufField[]): Uint8Array {
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
function decodeProtobuf(bytes: Uint8Array): readonly ProtobufField[] | undefined {
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
