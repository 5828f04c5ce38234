import type { Kid, SystemId } from '../../formats/cenc.ts'
import { systemIdOf, toKid } from '../../formats/cenc.ts'
import { drmSystemName, PLAYREADY, WIDEVINE } from '../../formats/drm/facts.ts'
import { decodeBase64, looksBase64 } from './base64.ts'
import { type ByteReader, Damage, toHex } from './byte-reader.ts'
import { disagreement, kidNode, kidOf } from './kids.ts'
import { error, type InspectFinding, type InspectNode, kidsIn, node, warning } from './node.ts'
import type { Context } from './options.ts'
import { explainPlayReadyObject } from './playready.ts'
import { jsonObject, textOfBytes } from './text.ts'
import { explainWidevine } from './widevine.ts'

/**
 * Reads what follows size and type of a pssh box: the whole of `reader`. Its findings are about the box as a whole.
 * @see ISO/IEC 23001-7, 8.1
 */
export function readPssh(reader: ByteReader, context: Context): readonly InspectFinding[] {
  const version = reader.number('version', 1, {
    explain: (value) =>
      value > 1 ? { findings: [error('expected 0 or 1')] } : { meaning: value === 0 ? 'without kids' : 'with kids' },
  })
  readFlags(reader)
  const systemId = readSystemId(reader)
  const listed: Kid[] = []
  if (version > 0) {
    const count = reader.number('KID_count', 4)
    if (count * 16 > reader.left)
      throw new Damage(reader.at, `${count} kids need ${count * 16} bytes, ${reader.left} are there`)
    for (let i = 0; i < count; i++) listed.push(readKid(reader, 'KID'))
  }
  const size = reader.number('DataSize', 4)
  let data: readonly InspectNode[] = []
  reader.bytes('Data', size, (bytes, offset) => {
    const explained = explainPsshData(systemId, bytes, offset, context)
    data = explained.children ?? []
    return explained
  })
  return disagreement(listed, kidsIn(data), 'the list of the box')
}

/** The 24 bits of flags, which no box of protection but `senc` has use for. */
export function readFlags(reader: ByteReader): number {
  return reader.number('flags', 3, { explain: (value) => ({ value: `0x${value.toString(16).padStart(6, '0')}` }) })
}

/** A KID as 16 bytes in the order it is spelled. */
export function readKid(reader: ByteReader, name: string): Kid {
  let kid: Kid | undefined
  reader.bytes(name, 16, (bytes) => {
    kid = kidOf(bytes, 'uuid')
    const { name: _, ...explained } = kidNode(name, kid, 'uuid')
    return explained
  })
  if (kid === undefined) throw new Damage(reader.at, `${name} is missing`)
  return kid
}

/** A system id, with the name of the system. */
export function readSystemId(reader: ByteReader): SystemId {
  let id: SystemId | undefined
  reader.bytes('SystemID', 16, (bytes) => {
    id = systemIdOf(kidOf(bytes, 'uuid'))
    return { value: id, meaning: drmSystemName(id) }
  })
  if (id === undefined) throw new Damage(reader.at, 'SystemID is missing')
  return id
}

/** What the data of a box says, as its system writes it. */
export function explainPsshData(
  systemId: SystemId,
  bytes: Uint8Array,
  offset: number,
  context: Context,
): Partial<InspectNode> {
  if (bytes.length === 0) return { value: 'empty' }
  if (systemId === WIDEVINE) return { meaning: 'WidevinePsshData', children: explainWidevine(bytes, offset, context) }
  if (systemId === PLAYREADY) {
    return { meaning: 'PlayReady Object', children: explainPlayReadyObject(bytes, offset, context) }
  }
  return explainOther(bytes, offset)
}

/** Systems whose format is not published, or is text: Nagra (base64url of JSON), WisePlay (JSON), Irdeto (XML behind a head). */
function explainOther(bytes: Uint8Array, offset: number): Partial<InspectNode> {
  const text = textOfBytes(bytes)
  if (text === undefined) return { value: toHex(bytes), meaning: 'in a format of the system' }
  const decoded = looksBase64(text) ? decodeBase64(text) : undefined
  const inner = decoded !== undefined && 'bytes' in decoded ? textOfBytes(decoded.bytes) : undefined
  const json = jsonObject(inner ?? text)
  if (json === undefined) return { value: JSON.stringify(text), meaning: 'text' }
  return {
    meaning: inner === undefined ? 'JSON' : 'base64url of JSON',
    children: Object.entries(json).map(([name, value]) => explainMember(name, value)),
    place: { offset, length: bytes.length },
  }
}

/** A member of a system's JSON; kids stand there as UUIDs or as base64. */
function explainMember(name: string, value: unknown): InspectNode {
  if (Array.isArray(value))
    return node(name, undefined, { children: value.map((one, i) => explainMember(`${name}[${i}]`, one)) })
  if (typeof value !== 'string') return node(name, JSON.stringify(value))
  if (!/^key_?ids?\b|^kids?\b/i.test(name)) return node(name, JSON.stringify(value))
  const kid = toKid(value) ?? kidOfBase64(value)
  return kid === undefined
    ? node(name, JSON.stringify(value), { findings: [warning('is no kid')] })
    : kidNode(name, kid, 'uuid')
}

function kidOfBase64(text: string): Kid | undefined {
  const decoded = decodeBase64(text)
  return 'bytes' in decoded && decoded.bytes.length === 16 ? kidOf(decoded.bytes, 'uuid') : undefined
}
