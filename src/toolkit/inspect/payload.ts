import { encodeUtf16le } from '../../core/utf16.ts'
import type { Kid } from '../../formats/cenc.ts'
import { decodeBase64, looksBase64 } from './base64.ts'
import { kidOf, kidOfText } from './kids.ts'
import { textOfBytes, textOfUtf16 } from './text.ts'
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
