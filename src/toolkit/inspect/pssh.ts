import { type Kid, type SystemId, systemIdOf } from '../../formats/cenc.ts'
import { drmSystemName, PLAYREADY, WIDEVINE } from '../../formats/drm/facts.ts'
import { type ByteReader, Damage, readStructure, toHex } from './byte-reader.ts'
import { disagreement, kidNode, kidOf, kidOfText } from './kids.ts'
import { type Context, error, type InspectFinding, type InspectNode, kidsIn, node, warning } from './node.ts'
import { type ExpectedPayload, misplacedPayload, payloadOf, type SignalledPayload } from './payload.ts'
import { explainPlayReadyObject, explainWrmHeader } from './playready.ts'
import { decodeBase64, jsonObject, looksBase64, textOfBytes } from './text.ts'
import { explainWidevine } from './widevine.ts'
import { plainElement, readXmlText } from './xml.ts'

/**
 * Reads a pssh box behind its size and type, to the end of `reader`. Returns the findings about the whole box.
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

/** The 24 bits of flags. Of the protection boxes only `senc` uses them. */
export function readFlags(reader: ByteReader): number {
  return reader.number('flags', 3, { explain: (value) => ({ value: `0x${value.toString(16).padStart(6, '0')}` }) })
}

/** A KID as 16 bytes in the order of its text. */
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

/** A system ID, with the name of the system. */
export function readSystemId(reader: ByteReader): SystemId {
  let id: SystemId | undefined
  reader.bytes('SystemID', 16, (bytes) => {
    id = systemIdOf(kidOf(bytes, 'uuid'))
    return { value: id, meaning: drmSystemName(id) }
  })
  if (id === undefined) throw new Damage(reader.at, 'SystemID is missing')
  return id
}

/** The data of a box, in the format of its DRM system. */
export function explainPsshData(
  systemId: SystemId,
  bytes: Uint8Array,
  offset: number,
  context: Context,
): Partial<InspectNode> {
  if (bytes.length === 0) return { value: 'empty' }
  const expected = systemId === WIDEVINE ? 'WidevinePsshData' : systemId === PLAYREADY ? 'PlayReady Object' : undefined
  if (expected !== undefined) return { meaning: expected, ...explainPayload(bytes, offset, expected, context) }
  const misplaced = payloadOf(bytes)
  if (misplaced?.kind === 'pssh box') return explainMisplaced(misplaced, bytes, offset, 'WidevinePsshData', context)
  return explainOther(bytes, offset, context)
}

/** A payload where `expected` belongs. A payload of another kind is named in an error, and explained all the same. */
export function explainPayload(
  bytes: Uint8Array,
  offset: number,
  expected: ExpectedPayload,
  context: Context,
): Pick<InspectNode, 'findings' | 'children'> {
  const payload = payloadOf(bytes)
  if (payload !== undefined && payload.kind !== expected)
    return explainMisplaced(payload, bytes, offset, expected, context)
  return { children: explainKnown(expected, bytes, offset, context) }
}

function explainMisplaced(
  payload: SignalledPayload,
  bytes: Uint8Array,
  offset: number,
  expected: ExpectedPayload,
  context: Context,
): Pick<InspectNode, 'findings' | 'children'> {
  const findings = [error(misplacedPayload(payload, expected))]
  if (payload.kind === 'KID') return { findings, children: [kidNode('KID', payload.kid, 'uuid')] }
  if (payload.kind === 'WRMHEADER') return { findings, children: explainWrmHeader(payload.text.trim(), context) }
  if (payload.kind !== 'base64') return { findings, children: explainKnown(payload.kind, bytes, offset, context) }
  const inner = explainPayload(payload.bytes, 0, expected, context)
  return { findings: [...findings, ...(inner.findings ?? [])], children: inner.children ?? [] }
}

function explainKnown(
  kind: ExpectedPayload,
  bytes: Uint8Array,
  offset: number,
  context: Context,
): readonly InspectNode[] {
  if (kind === 'WidevinePsshData') return explainWidevine(bytes, offset, context)
  if (kind === 'PlayReady Object') return explainPlayReadyObject(bytes, offset, context)
  return readStructure(bytes, offset, context, (reader) => {
    while (reader.left > 0) readWholeBox(reader, context)
  })
}

const MAX_DEPTH = 16

/** A pssh box with its size and type, inside other data. */
function readWholeBox(reader: ByteReader, context: Context): void {
  const { budget } = context
  const at = reader.at
  if (budget.depth === MAX_DEPTH) throw new Damage(at, `pssh boxes are more than ${MAX_DEPTH} deep in each other`)
  const head = Buffer.from(reader.peek(8))
  if (head.length < 8 || head.toString('latin1', 4, 8) !== 'pssh') throw new Damage(at, 'expected a pssh box')
  const size = head.readUInt32BE(0)
  if (size < 8 || size > reader.left) {
    throw new Damage(at, `box pssh has the size ${size}, but ${reader.left} bytes are left`)
  }
  const box = reader.skip(size, 'pssh box')
  let findings: readonly InspectFinding[] = []
  budget.depth++
  const children = reader.inside(box.subarray(8), at + 8, (inner) => {
    findings = readPssh(inner, context)
  })
  budget.depth--
  reader.add(node('pssh', undefined, { place: { offset: at, length: size }, findings, children }))
}

/** Systems whose format is not published, or is text: Nagra (base64url of JSON), WisePlay (JSON), Irdeto (XML behind a head). */
function explainOther(bytes: Uint8Array, offset: number, context: Context): Partial<InspectNode> {
  const text = textOfBytes(bytes)
  if (text === undefined)
    return explainIrdeto(bytes, context) ?? { value: toHex(bytes), meaning: 'in a format of the system' }
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

/** Irdeto: XML behind a head of nine bytes. Undefined for other data. */
function explainIrdeto(bytes: Uint8Array, context: Context): Partial<InspectNode> | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hasHead = view.length > 9 && view[0] === 1 && view.readUInt32BE(1) === view.length - 5
  if (!hasHead || view.readUInt16BE(7) !== view.length - 9) return undefined
  const text = textOfBytes(view.subarray(9))
  const read = text?.startsWith('<') === true ? readXmlText(text) : undefined
  if (read === undefined || 'broken' in read) return undefined
  const value = /<KID\s+value="([^"]{1,80})"/.exec(text ?? '')?.[1]
  const kid = value === undefined ? undefined : kidOfText(value)
  return {
    meaning: 'XML of Irdeto behind its head; places are lines and columns of the XML',
    children: [
      ...(kid === undefined ? [] : [kidNode('KID', kid, 'uuid')]),
      plainElement(read.document, read.document.root, context),
    ],
  }
}

/** A member of a DRM system's JSON. Kids are UUIDs, hex or base64. */
export function explainMember(name: string, value: unknown): InspectNode {
  if (Array.isArray(value))
    return node(name, undefined, {
      children: value.slice(0, MAX_MEMBERS).map((one, i) => explainMember(`${name}[${i}]`, one)),
    })
  if (typeof value !== 'string') return node(name, JSON.stringify(value))
  if (!/^key_?ids?\b|^kids?\b/i.test(name)) return node(name, JSON.stringify(value))
  const kid = kidOfText(value)
  return kid === undefined
    ? node(name, JSON.stringify(value), {
        findings: [warning('is not a kid: expected a UUID, 32 hex digits or base64')],
      })
    : kidNode(name, kid, 'uuid')
}

const MAX_MEMBERS = 200
