import type { Kid } from '../../../formats/cenc.ts'
import { type ByteReader, Damage, damagedNode, readStructure } from '../byte-reader.ts'
import { boxesIn, disagreement } from '../kids.ts'
import {
  type Context,
  type InspectFinding,
  type InspectNode,
  kidsIn,
  MAX_BYTES,
  node,
  nodesIn,
  note,
  withFindings,
} from '../node.ts'
import { BOXES, CONTAINERS, readUuidBox } from './boxes.ts'
import type { BoxState } from './protection.ts'

/** A file that is read in parts: media data is not read. */
export interface ByteSource {
  readonly size: number
  /** The bytes from `offset`, at most `length` of them. */
  read(offset: number, length: number): Uint8Array
}

/** A source of bytes in memory. */
export function sourceOf(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) }
}

/** Whether bytes begin as an ISO BMFF file does, or as a box that is handed out alone. */
export function isBoxes(start: Uint8Array, size: number): boolean {
  if (start.length < 8) return false
  const view = Buffer.from(start.buffer, start.byteOffset, start.byteLength)
  const boxSize = view.readUInt32BE(0)
  const type = view.toString('latin1', 4, 8)
  if (type === 'pssh') return true
  return TOP_LEVEL.has(type) && (boxSize === 0 || boxSize === 1 || (boxSize >= 8 && boxSize <= Math.max(size, 8)))
}

/** The boxes of a file, with those of protection explained. @see ISO/IEC 14496-12, 4.2; ISO/IEC 23001-7, 8 */
export function explainBoxes(source: ByteSource, context: Context): InspectNode[] {
  const state: BoxState = { context, ivSize: undefined }
  const nodes: InspectNode[] = []
  let at = 0
  let media = 0
  while (at < source.size && nodes.length < MAX_TOP_LEVEL) {
    const header = attemptHeader(source.read(at, 16), at, source.size)
    if ('name' in header) {
      nodes.push(explainCut(header, source, at, state))
      break
    }
    const { type, size } = header
    if (type === 'mdat') {
      media += size
    } else if (size > MAX_BYTES) {
      nodes.push(
        node(type, undefined, {
          place: { offset: at, length: size },
          findings: [note(`is larger than ${MAX_BYTES} bytes and not read`)],
        }),
      )
    } else {
      nodes.push(...readStructure(source.read(at, size), at, context, (reader) => readBox(reader, state, 1)))
    }
    at += size
  }
  if (media > 0) nodes.push(node('mdat', `${media} bytes`, { meaning: 'media, not read' }))
  if (at < source.size && nodes.length >= MAX_TOP_LEVEL)
    nodes.push(node('more boxes', `${source.size - at} bytes`, { meaning: 'not shown' }))
  return compareKids(nodes)
}

/** A box whose end is missing, with what is left of it. */
function explainCut(damaged: InspectNode, source: ByteSource, at: number, state: BoxState): InspectNode {
  const bytes = source.read(at, Math.min(source.size - at, MAX_BYTES))
  const type = Buffer.from(bytes.subarray(4, 8)).toString('latin1')
  if (BOXES.get(type)?.read === undefined) return damaged
  const { name = type, ...explained } = readBody(bytes.subarray(8), at + 8, type, state, 1)
  return {
    ...node(name, undefined, explained),
    ...(damaged.place && { place: damaged.place }),
    findings: [...(damaged.findings ?? []), ...(explained.findings ?? [])],
  }
}

/** Boxes at the start of files and segments, and those that are handed out alone. */
const TOP_LEVEL: ReadonlySet<string> = new Set([
  ...CONTAINERS.keys(),
  ...BOXES.keys(),
  'sidx',
  'emsg',
  'prft',
  'free',
  'skip',
  'mdat',
  'uuid',
  'meta',
])
const MAX_TOP_LEVEL = 1000
const MAX_DEPTH = 16

interface BoxHeader {
  readonly type: string
  /** Of the box, header included. */
  readonly size: number
  readonly headerSize: number
}

/** Throws Damage for an impossible size. */
function readHeader(start: Uint8Array, at: number, end: number): BoxHeader {
  const left = end - at
  if (start.length < 8) throw new Damage(at, `a box needs 8 bytes, ${left} are there`)
  const view = Buffer.from(start.buffer, start.byteOffset, start.byteLength)
  const type = view.toString('latin1', 4, 8)
  let size = view.readUInt32BE(0)
  let headerSize = 8
  if (size === 0) size = left
  else if (size === 1) {
    if (start.length < 16) throw new Damage(at, 'the 64-bit size is cut short')
    size = Number(view.readBigUInt64BE(8))
    headerSize = 16
  }
  if (size < headerSize || size > left) {
    throw new Damage(at, `box ${shownType(type)} says it has ${size} bytes, ${left} are there`)
  }
  return { type, size, headerSize }
}

function attemptHeader(start: Uint8Array, at: number, end: number): BoxHeader | InspectNode {
  try {
    return readHeader(start, at, end)
  } catch (problem) {
    if (!(problem instanceof Damage)) throw problem
    return damagedNode(problem, { offset: at, length: end - at }, undefined)
  }
}

/** Reads the box that `reader` holds, and what is in it: one node. */
function readBox(reader: ByteReader, state: BoxState, depth: number): void {
  const at = reader.at
  const { type, size, headerSize } = readHeader(reader.peek(16), at, at + reader.left)
  const body = reader.skip(size, 'box').subarray(headerSize)
  const { name = shownType(type), ...explained } = readBody(body, at + headerSize, type, state, depth)
  reader.add(node(name, undefined, { ...explained, place: { offset: at, length: size } }))
}

function readBody(bytes: Uint8Array, base: number, type: string, state: BoxState, depth: number): Partial<InspectNode> {
  const findings: InspectFinding[] = []
  const container = CONTAINERS.get(type)
  if (container !== undefined) {
    const children = readStructure(bytes, base, state.context, (reader) => {
      container.head?.(reader)
      while (reader.left > 0) readChild(reader, state, depth)
    })
    return { meaning: container.meaning, children }
  }
  const box = type === 'uuid' ? readUuidBox(bytes) : BOXES.get(type)
  if (box?.read === undefined) return { meaning: box?.meaning ?? 'not explained', children: [] }
  const children = readStructure(
    bytes,
    base,
    state.context,
    (reader) => void findings.push(...(box.read?.(reader, state) ?? [])),
  )
  return { ...(box.name !== undefined && { name: box.name }), meaning: box.meaning, children, findings }
}

function readChild(reader: ByteReader, state: BoxState, depth: number): void {
  if (depth >= MAX_DEPTH) throw new Damage(reader.at, `boxes are more than ${MAX_DEPTH} deep in each other`)
  const at = reader.at
  const { size } = readHeader(reader.peek(16), at, at + reader.left)
  const box = reader.skip(size, 'box')
  reader.add(...reader.inside(box, at, (inner) => readBox(inner, state, depth + 1)))
}

function shownType(type: string): string {
  return /^[\x20-\x7e]{4}$/.test(type) ? type : `0x${Buffer.from(type, 'latin1').toString('hex')}`
}

/** pssh boxes compared with tracks: those of the same moov or moof, or of the file for a box outside of both. */
function compareKids(nodes: readonly InspectNode[]): InspectNode[] {
  return nodes.map((top) => {
    const scope = top.name === 'pssh' ? nodes : [top]
    return compareWith(top, trackKids(scope), kidsBySystem(boxesIn(scope)))
  })
}

const NAMES_TRACK_KIDS: ReadonlySet<string> = new Set(['tenc', 'sgpd', 'uuid (PIFF tenc)'])

function trackKids(nodes: readonly InspectNode[]): readonly Kid[] {
  return kidsIn([...nodesIn(nodes)].filter(({ name }) => NAMES_TRACK_KIDS.has(name)))
}

/** The kids that all boxes of a DRM system name together: each box may be for another track. */
function kidsBySystem(boxes: readonly InspectNode[]): ReadonlyMap<string, readonly Kid[]> {
  const groups = Map.groupBy(boxes, systemOf)
  return new Map([...groups].map(([systemId, group]) => [systemId, kidsIn(group)]))
}

function systemOf({ children = [] }: InspectNode): string {
  return children.find(({ name }) => name === 'SystemID')?.value ?? ''
}

function compareWith(
  one: InspectNode,
  expected: readonly Kid[],
  named: ReadonlyMap<string, readonly Kid[]>,
): InspectNode {
  if (/\bpssh\b/.test(one.name)) {
    const kids = kidsIn([one])
    const systemKids = named.get(systemOf(one)) ?? []
    const isForOtherTrack = kids.length > 0 && systemKids.some((kid) => expected.includes(kid))
    return isForOtherTrack ? one : withFindings(one, disagreement(expected, kids, 'tenc'))
  }
  return one.children === undefined
    ? one
    : { ...one, children: one.children.map((child) => compareWith(child, expected, named)) }
}
