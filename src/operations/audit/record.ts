import { createHash } from 'node:crypto'
import type { AuditEntry } from '../ports/audit.ts'

/** The position of a record in the chain of a node and day. */
interface AuditPlace {
  readonly node: string
  /** YYYY-MM-DD, in UTC. */
  readonly day: string
  /** From 1. */
  readonly seq: number
  /** The hash of the record before it, in this chain or the node's previous one. */
  readonly prev: string
  /** Milliseconds since 1970. */
  readonly at: number
}

/** What a record says about the log itself. */
export interface AuditNote {
  /** The unfinished line before it, left by a crash or a full disk: its length and the SHA-256 of its bytes. */
  readonly torn?: { readonly bytes: number; readonly sha256: string } | undefined
  /** How many records were lost before it, because too many waited. */
  readonly lost?: number | undefined
}

/** The keyed MAC of a record: nobody without the data keys can write one. */
export interface RecordMac {
  /** The generation of the data key that the MAC key was derived from. */
  readonly generation: number
  /** HMAC-SHA256 of the record's hash, in hex. */
  readonly value: string
}

/** A written record: one line with its line end, and its hash. */
interface AuditLine {
  readonly text: string
  readonly hash: string
}

/** What a chain needs to know of a record. */
export interface ReadRecord {
  readonly seq: number
  readonly prev: string
  readonly hash: string
  readonly node: string
  readonly chain: string
  readonly action: string
  readonly torn: AuditNote['torn']
  /** Undefined for a record of a log without data keys, or of an earlier release. */
  readonly mac: RecordMac | undefined
  /** Whether the hash fits the members, and the line is their canonical spelling. */
  readonly holds: boolean
}

/** The `prev` of the first record of a node's first chain. */
export const NO_RECORD = `sha256:${'0'.repeat(64)}`
/** The longest line that is written or read, in bytes. */
export const MAX_AUDIT_LINE = 16 * 1024 * 1024

/** Records with a MAC have the second version. */
const VERSION = 1
const VERSION_WITH_MAC = 2
const MAC = /^hmac-sha256:([1-9]\d{0,9}):([0-9a-f]{64})$/
/** Characters. Three lists of this length, with every character escaped, stay below the longest line. */
const MAX_TEXT = 1024
const MAX_ITEM = 128
const MAX_LIST = 5_000

/** The names that a node may have: the name is also that of a directory. */
export const NODE_NAME = /^(?!\.)[\w.-]{1,72}$/

/** The name of the chain of a node and day. */
export function chainOf(node: string, day: string): string {
  return `${node}/${day}`
}

/**
 * The record of `entry` at a position, with a MAC if `sign` is given. Only the known members of an entry are written; long
 * text and lists are cut.
 */
export function auditLine(
  place: AuditPlace,
  entry: AuditEntry,
  note: AuditNote = {},
  sign?: (hash: string) => RecordMac,
): AuditLine {
  const { node, day, seq, prev, at } = place
  const record = {
    v: sign === undefined ? VERSION : VERSION_WITH_MAC,
    seq,
    at: new Date(at).toISOString(),
    node,
    chain: chainOf(node, day),
    prev,
    ...membersOf(entry),
    torn: note.torn && { ...note.torn },
    lost: note.lost,
  }
  const hash = hashOf(prev, canonicalJson(record))
  const signed = sign?.(hash)
  const mac = signed && `hmac-sha256:${signed.generation}:${signed.value}`
  return { text: `${canonicalJson({ ...record, hash, mac })}\n`, hash }
}

/** The record of a line, given without its line end; undefined for a line that is not a record. */
export function readAuditLine(line: Uint8Array): ReadRecord | undefined {
  const text = Buffer.from(line).toString()
  const record = parse(text)
  if (record === undefined) return undefined
  const { hash, mac: written, ...rest } = record
  const { v, seq, prev, node, chain, action, torn } = rest
  const mac = typeof written === 'string' ? readMac(written) : undefined
  if (v !== (written === undefined ? VERSION : VERSION_WITH_MAC) || (written !== undefined && mac === undefined))
    return undefined
  if (typeof seq !== 'number' || !Number.isSafeInteger(seq)) return undefined
  if (typeof prev !== 'string' || typeof hash !== 'string' || typeof node !== 'string') return undefined
  if (typeof chain !== 'string' || typeof action !== 'string') return undefined
  const isIntact = holds(line, record, rest, prev, hash)
  return { seq, prev, hash, node, chain, action, torn: readTorn(torn), mac, holds: isIntact }
}

function readMac(text: string): RecordMac | undefined {
  const [, generation, value] = MAC.exec(text) ?? []
  return generation === undefined || value === undefined ? undefined : { generation: Number(generation), value }
}

/** SHA-256 in the spelling of records. */
export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return `sha256:${digest.digest('hex')}`
}

function hashOf(prev: string, canonical: string): string {
  return sha256(prev, canonical)
}

function holds(line: Uint8Array, record: JsonObject, rest: JsonObject, prev: string, hash: string): boolean {
  try {
    return Buffer.from(canonicalJson(record)).equals(line) && hashOf(prev, canonicalJson(rest)) === hash
  } catch (error) {
    // Keyspring never writes a record without a canonical spelling.
    if (error instanceof RangeError) return false
    throw error
  }
}

type JsonObject = { readonly [name: string]: JsonValue | undefined }

function parse(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as JsonValue
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function readTorn(torn: JsonValue | undefined): AuditNote['torn'] {
  if (typeof torn !== 'object' || torn === null || Array.isArray(torn)) return undefined
  const { bytes, sha256 } = torn as JsonObject
  return typeof bytes === 'number' && typeof sha256 === 'string' ? { bytes, sha256 } : undefined
}

/** Names each member, so that nothing else that a caller's object holds gets into the log. */
function membersOf(entry: AuditEntry): JsonObject {
  const { action, outcome, tenant, actor, requestId, contentId, contentKeyClass, keys, requests, forced } = entry
  return {
    action,
    outcome,
    tenant: cut(tenant),
    actor: { method: cut(actor.method), id: cut(actor.id), address: cutIfAny(actor.address) },
    requestId: cut(requestId),
    contentId: cutIfAny(contentId),
    kids: cutList(entry.kids),
    contentKeyClass,
    systemIds: cutList(entry.systemIds),
    recipients: cutList(entry.recipients),
    keys: keys ?? (isCut(entry.kids) ? entry.kids?.length : undefined),
    requests,
    forced,
    reason: cutIfAny(entry.reason),
    code: cutIfAny(entry.code),
  }
}

function cut(text: string, length = MAX_TEXT): string {
  const whole = text.toWellFormed()
  return whole.length <= length ? whole : `${whole.slice(0, length - 1).toWellFormed()}…`
}

function cutIfAny(text: string | undefined): string | undefined {
  return text === undefined ? undefined : cut(text)
}

function cutList(list: readonly string[] | undefined): readonly string[] | undefined {
  return list?.slice(0, MAX_LIST).map((item) => cut(item, MAX_ITEM))
}

function isCut(list: readonly string[] | undefined): boolean {
  return list !== undefined && list.length > MAX_LIST
}

/** A JSON value. Members that are undefined are left out. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue | undefined }

/**
 * The canonical text of a value: no white space, members sorted by the UTF-16 code units of their names, numbers and strings
 * in the spelling of ECMAScript. Throws RangeError for a number that is not finite and for text with a lone surrogate.
 * @see RFC 8785, 3.2
 */
export function canonicalJson(value: JsonValue): string {
  if (typeof value === 'string') return canonicalText(value)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError('a number that is not finite')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join()}]`
  const members: string[] = []
  // Without a comparison function, `sort` orders by UTF-16 code units.
  for (const name of Object.keys(value).sort()) {
    const member = value[name]
    if (member !== undefined) members.push(`${canonicalText(name)}:${canonicalJson(member)}`)
  }
  return `{${members.join()}}`
}

function canonicalText(text: string): string {
  if (!text.isWellFormed()) throw new RangeError('text with a lone surrogate')
  return JSON.stringify(text)
}

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value)
}
