import { COMMON_ENCRYPTION_SCHEMES, type CommonEncryptionScheme } from '../../formats/cenc.ts'
import { fourCc } from '../../formats/drm/payloads/widevine-pssh-data.ts'
import { type ByteReader, Damage, readStructure, toHex } from './byte-reader.ts'
import { kidNode, kidOf } from './kids.ts'
import { type Budget, type InspectNode, node, nodesIn, note, warning } from './node.ts'
import { textOfBytes } from './text.ts'

/** The fields of a WidevinePsshData, as a tree. @see https://protobuf.dev/programming-guides/encoding/ */
export function explainWidevine(bytes: Uint8Array, base: number, context: { readonly budget: Budget }): InspectNode[] {
  return readStructure(bytes, base, context, (reader) => readMessage(reader, FIELDS))
}

/** Whether bytes read as such a message, with at least one field that tells what it is for. */
export function isWidevineMessage(bytes: Uint8Array): boolean {
  if (bytes.length < 6) return false
  const nodes = explainWidevine(bytes, 0, { budget: { left: 1000, depth: 0 } })
  if (
    [...nodesIn(nodes)].some(
      ({ findings = [], name }) => name === UNKNOWN || findings.some((one) => one.severity !== 'note'),
    )
  ) {
    return false
  }
  return nodes.some(({ name }) => ['key_ids', 'content_id', 'provider', 'protection_scheme'].includes(name))
}

/** The scheme that a message names; cenc when it names none. Undefined for an unknown one. */
export function widevineScheme(nodes: readonly InspectNode[]): CommonEncryptionScheme | undefined {
  const field = [...nodesIn(nodes)].find(({ name }) => name === 'protection_scheme')
  return COMMON_ENCRYPTION_SCHEMES.find((scheme) => scheme === (field?.value ?? 'cenc'))
}

type ReadField = (value: number | Uint8Array, offset: number, reader: ByteReader) => Partial<InspectNode>
interface Field {
  readonly name: string
  readonly wireType: 0 | 2
  readonly explain: ReadField
}
type Fields = ReadonlyMap<number, Field>

const UNKNOWN = 'unknown field'

function number(
  name: string,
  explain: (value: number) => Partial<InspectNode> = (value) => ({ value: String(value) }),
): Field {
  return { name, wireType: 0, explain: (value) => (typeof value === 'number' ? explain(value) : {}) }
}

function bytes(
  name: string,
  explain: (value: Uint8Array, offset: number, reader: ByteReader) => Partial<InspectNode>,
): Field {
  return {
    name,
    wireType: 2,
    explain: (value, offset, reader) => (typeof value === 'number' ? {} : explain(value, offset, reader)),
  }
}

const deprecated = 'deprecated, but common'

const FIELDS: Fields = new Map([
  [
    1,
    number('algorithm', (value) => ({ value: ['UNENCRYPTED', 'AESCTR'][value] ?? String(value), meaning: deprecated })),
  ],
  [2, bytes('key_ids', explainKeyId)],
  [3, bytes('provider', (value) => ({ ...explainText(value), meaning: `whose licence service; ${deprecated}` }))],
  [
    4,
    bytes('content_id', (value) => ({ ...explainText(value), meaning: 'what the licence service calls the content' })),
  ],
  [5, bytes('track_type', (value) => ({ ...explainText(value), meaning: deprecated }))],
  [6, bytes('policy', (value) => ({ ...explainText(value), meaning: deprecated }))],
  [7, number('crypto_period_index', (value) => ({ value: String(value), meaning: 'which key of a rotation' }))],
  [8, bytes('grouped_license', (value) => ({ value: toHex(value), meaning: deprecated }))],
  [9, number('protection_scheme', explainScheme)],
  [10, number('crypto_period_seconds')],
  [11, number('type', (value) => ({ value: ['SINGLE', 'ENTITLEMENT', 'ENTITLED_KEY'][value] ?? String(value) }))],
  [12, number('key_sequence')],
  [13, bytes('group_ids', (value) => explainText(value))],
  [
    14,
    bytes('entitled_keys', (value, offset, reader) => ({
      children: reader.inside(value, offset, (inner) => readMessage(inner, ENTITLED_KEY)),
    })),
  ],
  [15, bytes('video_feature', (value) => explainText(value))],
])

const ENTITLED_KEY: Fields = new Map([
  [1, bytes('entitlement_key_id', (value) => ({ value: toHex(value) }))],
  [2, bytes('key_id', explainKeyId)],
  [
    3,
    bytes('key', (value) => ({ value: toHex(value), meaning: 'the content key, wrapped under the entitlement key' })),
  ],
  [4, bytes('iv', (value) => ({ value: toHex(value), meaning: 'of the wrapping' }))],
  [5, number('entitlement_key_size_bytes')],
])

function readMessage(reader: ByteReader, fields: Fields): void {
  while (reader.left > 0) {
    const offset = reader.at
    const key = readVarint(reader, 'the key of a field')
    const [id, wireType] = [Math.floor(key / 8), key % 8]
    if (id === 0) throw new Damage(offset, 'field 0, which no message has')
    const length = LENGTHS[wireType]
    if (wireType !== 0 && wireType !== 2 && length === undefined) {
      throw new Damage(offset, `field ${id} has wire type ${wireType}, which no such message has`)
    }
    const value =
      wireType === 0
        ? readVarint(reader, `field ${id}`)
        : reader.skip(length ?? readVarint(reader, `the length of field ${id}`), `field ${id}`)
    const place = { offset, length: reader.at - offset }
    const valueOffset = typeof value === 'number' ? offset : reader.at - value.length
    const field = fields.get(id)
    const written = typeof value === 'number' ? String(value) : toHex(value)
    if (field === undefined) {
      reader.add(node(UNKNOWN, written, { place, findings: [note(`field ${id} is not known`)] }))
    } else if (field.wireType !== wireType) {
      const finding = warning(`field ${id} has wire type ${wireType}, expected ${field.wireType}`)
      reader.add(node(field.name, written, { place, findings: [finding] }))
    } else {
      reader.add({ name: field.name, place, ...field.explain(value, valueOffset, reader) })
    }
  }
}

/** The sizes of fixed32 and fixed64. */
const LENGTHS: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

function readVarint(reader: ByteReader, name: string): number {
  const offset = reader.at
  let value = 0
  for (let i = 0; i < 10; i++) {
    const byte = reader.skip(1, name)[0] ?? 0
    value += (byte % 0x80) * 2 ** (7 * i)
    if (byte < 0x80) return value
  }
  throw new Damage(offset, `${name} is a number of more than ten bytes`)
}

function explainKeyId(value: Uint8Array): Partial<InspectNode> {
  if (value.length !== 16)
    return { value: toHex(value), findings: [warning(`a key id has 16 bytes, this has ${value.length}`)] }
  const { name, ...explained } = kidNode('', kidOf(value, 'uuid'), 'uuid')
  return explained
}

function explainText(value: Uint8Array): Partial<InspectNode> {
  if (value.length === 0) return { value: 'empty' }
  const text = textOfBytes(value)
  return text === undefined ? { value: toHex(value) } : { value: JSON.stringify(text) }
}

function explainScheme(value: number): Partial<InspectNode> {
  if (value === 0) return { value: 'cenc', meaning: '0: cenc' }
  const scheme = COMMON_ENCRYPTION_SCHEMES.find((one) => fourCc(one) === value)
  if (scheme !== undefined) return { value: scheme, meaning: `its four letters as a number, ${value}` }
  return { value: String(value), findings: [warning('is none of cenc, cens, cbc1, cbcs')] }
}
