import { encodeUtf16le } from '../../core/utf16.ts'
import type { Kid } from '../../formats/cenc.ts'
import { kidOf, kidOfText } from './kids.ts'
import { decodeBase64, looksBase64, textOfBytes, textOfUtf16 } from './text.ts'
import { isWidevineMessage } from './widevine.ts'

/** What DRM signalling carries, by its bytes. */
export type SignalledPayload =
  | { readonly kind: 'pssh box' | 'PlayReady Object' | 'WidevinePsshData' }
  | { readonly kind: 'WRMHEADER'; readonly text: string }
  | { readonly kind: 'KID'; readonly kid: Kid }
  | { readonly kind: 'base64'; readonly bytes: Uint8Array; readonly inner: Exclude<PayloadKind, 'base64'> }

export type PayloadKind = SignalledPayload['kind']

/** Recognizes a payload by its bytes. Undefined for anything else, also for a payload that is damaged at its start. */
export function payloadOf(bytes: Uint8Array): SignalledPayload | undefined {
  if (isPsshBox(bytes)) return { kind: 'pssh box' }
  if (isPlayReadyObject(bytes)) return { kind: 'PlayReady Object' }
  const text = textOfUtf16(bytes) ?? textOfBytes(bytes)
  if (text !== undefined && /^\s*(?:<\?xml[^>]*>\s*)?<W\w{0,3}HEA?D\w{0,4}[\s>]/i.test(text))
    return { kind: 'WRMHEADER', text }
  if (isWidevineMessage(bytes)) return { kind: 'WidevinePsshData' }
  if (bytes.length === 16) return { kind: 'KID', kid: kidOf(bytes, 'uuid') }
  if (text === undefined) return undefined
  const kid = bytes.length <= MAX_KID_TEXT ? kidOfText(text) : undefined
  if (kid !== undefined) return { kind: 'KID', kid }
  const decoded = looksBase64(text) ? decodeBase64(text) : undefined
  if (decoded === undefined || 'problem' in decoded) return undefined
  const inner = payloadOf(decoded.bytes)?.kind
  return inner === undefined || inner === 'base64' ? undefined : { kind: 'base64', bytes: decoded.bytes, inner }
}

/** Why a payload does not fit the place where `expected` belongs, and how to fix it. */
export function misplacedPayload({ kind, ...payload }: SignalledPayload, expected: ExpectedPayload): string {
  if (kind === 'base64' && 'inner' in payload)
    return `holds base64 of a ${payload.inner}: it was encoded twice; encode the bytes once`
  return MISPLACED[expected][kind] ?? `holds a ${kind} where a ${expected} belongs`
}

/** What a place of signalling carries. */
export type ExpectedPayload = 'pssh box' | 'PlayReady Object' | 'WidevinePsshData'

const MISPLACED: Readonly<Record<ExpectedPayload, Readonly<Partial<Record<PayloadKind, string>>>>> = {
  'pssh box': {
    'PlayReady Object':
      'holds a PlayReady Object without its pssh box; put it into a pssh box of PlayReady, or write it as mspr:pro',
    WidevinePsshData: 'holds a WidevinePsshData without its pssh box; put it into a pssh box of Widevine',
    WRMHEADER: 'holds a WRMHEADER without its PlayReady Object and its pssh box; put it into both',
    KID: 'holds only a KID, without pssh box; write a whole pssh box that names it',
  },
  'PlayReady Object': {
    'pssh box': 'holds a whole pssh box where a PlayReady Object belongs; write only the data of the box',
    WRMHEADER:
      'holds a WRMHEADER without its PlayReady Object; put the length and the record head before it, in UTF-16LE',
    WidevinePsshData: 'holds a WidevinePsshData where a PlayReady Object belongs',
    KID: 'holds only a KID where a PlayReady Object belongs',
  },
  WidevinePsshData: {
    'pssh box': 'holds a whole pssh box where its data belongs; write only the data of the inner box',
    'PlayReady Object': 'holds a PlayReady Object where a WidevinePsshData belongs',
    WRMHEADER: 'holds a WRMHEADER where a WidevinePsshData belongs',
    KID: 'holds only a KID where a WidevinePsshData belongs; write the KID as key_ids, field 2 of the message',
  },
}

/** A UUID with `urn:uuid:` and braces. */
const MAX_KID_TEXT = 64

function isPsshBox(bytes: Uint8Array): boolean {
  return bytes.length >= 8 && Buffer.from(bytes.subarray(4, 8)).toString('latin1') === 'pssh'
}

/** Whether bytes begin as a PlayReady Object: its length, then few records of a known type. */
function isPlayReadyObject(bytes: Uint8Array): boolean {
  if (bytes.length < 10) return false
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [length, count, type] = [view.readUInt32LE(0), view.readUInt16LE(4), view.readUInt16LE(6)]
  const isHeader = view.includes(HEADER_START)
  return count > 0 && count < 16 && type > 0 && type < 4 && (length === bytes.length || isHeader)
}

const HEADER_START = encodeUtf16le('<WRMHEADER')

/** An encoding around what is explained. */
export type Encoding = 'hex' | 'base64' | 'UTF-16' | 'data URI' | 'URL encoding' | 'HTML entities' | 'a list of bytes'

/** Text without what people paste around it. */
interface Unwrapped {
  readonly encoding: Encoding | 'quotes'
  readonly bytes: Uint8Array
}

/** What a text can hold if it was copied out of code, a URL or a web page. */
export function unwrapText(text: string): readonly Unwrapped[] {
  const made = (encoding: Unwrapped['encoding'], inner: string | undefined): readonly Unwrapped[] =>
    inner === undefined || inner === text ? [] : [{ encoding, bytes: Buffer.from(inner) }]
  const list = bytesOfList(text)
  return [
    ...made('quotes', withoutQuotes(text)),
    ...made('URL encoding', percentDecoded(text)),
    ...made('HTML entities', entitiesDecoded(text)),
    ...(list === undefined ? [] : [{ encoding: 'a list of bytes' as const, bytes: list }]),
  ]
}

/** Without quotes, and without the name before and the comma behind: `pssh = "…",`. */
function withoutQuotes(text: string): string | undefined {
  const quoted = /^(?:[\w$."'-]{1,64}\s*[=:]\s*)?(["'`])([^"'`]+)\1\s*[,;]?$/.exec(text)?.[2]
  if (quoted !== undefined) return quoted
  const named = /^[\w.-]{1,64}\s*[=:]\s*([A-Za-z0-9+/_=-]{16,})\s*[,;]?$/.exec(text)?.[1]
  return named ?? /^([A-Za-z0-9+/_=-]{16,})\s*[,;]$/.exec(text)?.[1]
}

function percentDecoded(text: string): string | undefined {
  if (!/%[\da-f]{2}/i.test(text)) return undefined
  try {
    return decodeURIComponent(text)
  } catch (problem) {
    if (problem instanceof URIError) return undefined
    throw problem
  }
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", '#39': "'" }

function entitiesDecoded(text: string): string | undefined {
  if (!text.startsWith('&lt;')) return undefined
  return text.replaceAll(/&(lt|gt|amp|quot|apos|#39);/g, (whole, name: string) => ENTITIES[name] ?? whole)
}

/** `0x00, 0x34, …`, `[0, 0, 0, 52, …]` or `\\x00\\x34…`, as code writes bytes. */
function bytesOfList(text: string): Uint8Array | undefined {
  const escaped = /^["']?((?:\\x[\da-f]{2})+)["']?$/i.exec(text)?.[1]
  if (escaped !== undefined) return Buffer.from(escaped.replaceAll(/\\x/gi, ''), 'hex')
  const inner =
    /^(?:[\w.()\s]{0,64})[[{(]?\s*((?:(?:0x[\da-f]{1,2}|\d{1,3})\s*,\s*){7,}(?:0x[\da-f]{1,2}|\d{1,3})?)\s*[\])}]*;?$/i.exec(
      text,
    )?.[1]
  if (inner === undefined) return undefined
  const values = inner
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map(Number)
  return values.every((value) => value >= 0 && value <= 255) ? Uint8Array.from(values) : undefined
}
