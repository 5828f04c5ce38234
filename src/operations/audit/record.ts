import { createHash } from 'node:crypto'
import type { AuditEntry } from '../ports/audit.ts'
import { canonicalJson, type JsonValue } from './canonical-json.ts'

/** Where a record stands in the chain of a node and day. */
export interface AuditPlace {
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

/** What a record says beyond its entry, of the log itself. */
export interface AuditNote {
  /** A line before it that a crash or a full disk left unfinished: its length and the SHA-256 of its bytes. */
  readonly torn?: { readonly bytes: number; readonly sha256: string } | undefined
  /** How many records were lost before it, because too many waited. */
  readonly lost?: number | undefined
}

/** A record as it is written: one line, its end included, and its hash. */
export interface AuditLine {
  readonly text: string
  readonly hash: string
}

/** A record as the chain sees it. */
export interface ReadRecord {
  readonly seq: number
  readonly prev: string
  readonly hash: string
  readonly node: string
  readonly chain: string
  readonly action: string
  readonly torn: AuditNote['torn']
  /** Whether the hash is that of its prev and members, and the line their one spelling. */
  readonly holds: boolean
}

/** What the first record of a node's first chain follows. */
export const NO_RECORD = `sha256:${'0'.repeat(64)}`
/** The longest line that is written or read, in bytes. */
export const MAX_AUDIT_LINE = 16 * 1024 * 1024

const VERSION = 1
/** Characters. Three lists of this length, every character escaped, stay below the longest line. */
const MAX_TEXT = 1024
const MAX_ITEM = 128
const MAX_LIST = 5_000

/** What a node may be called: it names a directory. */
export const NODE_NAME = /^(?!\.)[\w.-]{1,72}$/

/** The name of the chain of a node and day. */
export function chainOf(node: string, day: string): string {
  return `${node}/${day}`
}

/** The record of `entry` at a place. Only what an entry can say gets into it; long text and lists are cut. */
export function auditLine(place: AuditPlace, entry: AuditEntry, note: AuditNote = {}): AuditLine {
  const { node, day, seq, prev, at } = place
  const record = {
    v: VERSION,
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
  return { text: `${canonicalJson({ ...record, hash })}\n`, hash }
}

/** The record of a line without its end, or undefined when it is none. */
export function readAuditLine(line: Uint8Array): ReadRecord | undefined {
  const text = Buffer.from(line).toString()
  const record = parse(text)
  if (record === undefined) return undefined
  const { hash, ...rest } = record
  const { v, seq, prev, node, chain, action, torn } = rest
  if (v !== VERSION || typeof seq !== 'number' || !Number.isSafeInteger(seq)) return undefined
  if (typeof prev !== 'string' || typeof hash !== 'string' || typeof node !== 'string') return undefined
  if (typeof chain !== 'string' || typeof action !== 'string') return undefined
  return { seq, prev, hash, node, chain, action, torn: readTorn(torn), holds: holds(line, record, rest, prev, hash) }
}

/** SHA-256 as records spell it. */
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
    // A record that has no canonical spelling was never written by us.
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

/** Each member by name: whatever else a caller's object holds stays out of the log. */
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
