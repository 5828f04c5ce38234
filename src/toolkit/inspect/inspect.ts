import { toKid } from '../../formats/cenc.ts'
import { toHex } from './byte-reader.ts'
import { explainCertificate, explainPemCertificates, isCertificate } from './certificate.ts'
import { explainHls, isHls } from './hls/hls.ts'
import type { Inspection, Kind } from './inspection.ts'
import { explainJson } from './json.ts'
import { kidNode, kidOfText, looksLikeKid, repeatedSystems } from './kids.ts'
import { type ByteSource, explainBoxes, isBoxes, sourceOf } from './mp4/mp4.ts'
import {
  type Context,
  error,
  type InspectNode,
  type InspectOptions,
  MAX_BYTES,
  newContext,
  node,
  note,
  warning,
  withFindings,
} from './node.ts'
import { type Encoding, payloadOf, unwrapText } from './payload.ts'
import { explainPlayReadyObject } from './playready.ts'
import { explainSkd } from './skd.ts'
import {
  decodeCutBase64,
  firstNotText,
  jsonObject,
  looksBase64,
  skdInitData,
  textOfBytes,
  textOfUtf16,
} from './text.ts'
import { explainWidevine } from './widevine.ts'
import { explainXml } from './xml-documents.ts'

/** Explains bytes or text part by part. Damaged input is explained up to the damage. Never throws. */
export function inspect(input: Uint8Array | string, options: InspectOptions = {}): Inspection {
  return inspectSource(sourceOf(typeof input === 'string' ? Buffer.from(input) : input), options)
}

/** The same for a file of any size. Of MP4 files it reads only the boxes that describe the media. */
export function inspectSource(source: ByteSource, options: InspectOptions = {}): Inspection {
  const context = newContext(options)
  if (isBoxes(source.read(0, 16), source.size)) return boxes(source, context)
  if (source.size > MAX_BYTES) {
    return unknown([
      node('input', `${source.size} bytes`, {
        findings: [error(`is larger than ${MAX_BYTES} bytes, which only MP4 files may be`)],
      }),
    ])
  }
  return inspectBytes(source.read(0, source.size), context, [])
}

const MAX_ENCODINGS = 4
const LESS_THAN = 0x3c

function inspectBytes(bytes: Uint8Array, context: Context, encodings: readonly Encoding[]): Inspection {
  const made = (kind: Kind, nodes: readonly InspectNode[]): Inspection => ({ kind, encodings, nodes })
  if (bytes.length === 0)
    return { ...unknown([node('input', 'empty', { findings: [error('there is nothing to explain')] })]), encodings }
  if (isBoxes(bytes, bytes.length)) return { ...boxes(sourceOf(bytes), context), encodings }
  const payload = payloadOf(bytes)?.kind
  if (payload === 'PlayReady Object') return made('PlayReady Object', explainPlayReadyObject(bytes, 0, context))
  if (isCertificate(bytes)) return made('X.509 certificate', [explainCertificate(bytes, context)])
  const skd = skdInitData(bytes)
  if (skd !== undefined) return made('FairPlay initialization data', [explainSkd(skd, context)])
  const wide = textOfUtf16(bytes)
  if (wide !== undefined) return inspectText(wide, bytes, context, [...encodings, 'UTF-16'])
  // A message can consist of printable characters only, but text is likelier.
  const text = textOfBytes(bytes)
  const found = text === undefined ? undefined : inspectText(text, bytes, context, encodings)
  if (found !== undefined && found.kind !== 'unknown') return found
  if (text === undefined && bytes[0] === LESS_THAN) return made('XML', [notUtf8(bytes)])
  if (payload === 'WidevinePsshData') return made('Widevine message', explainWidevine(bytes, 0, context))
  return found ?? { ...unknown([unknownBytes(bytes, context)]), encodings }
}

/** XML in bytes that are not text. */
function notUtf8(bytes: Uint8Array): InspectNode {
  const offset = firstNotText(bytes)
  const findings = [error(`breaks at byte ${offset}: not UTF-8, or a control character`)]
  return node('damaged', undefined, { place: { offset, length: bytes.length - offset }, findings })
}

function inspectText(text: string, bytes: Uint8Array, context: Context, encodings: readonly Encoding[]): Inspection {
  const trimmed = text.trim()
  for (const { fits, explain } of TEXTS) {
    const explained = fits(trimmed) ? explain(text, context) : undefined
    if (explained?.kind === 'HLS') return { encodings, kind: 'HLS', nodes: withMarkFinding(explained.nodes, bytes) }
    if (explained !== undefined) return { encodings, ...explained }
  }
  const found = encodings.length < MAX_ENCODINGS ? inspectEncoded(trimmed, context, encodings) : undefined
  return found ?? { ...unknown([unknownBytes(bytes, context)]), encodings }
}

/** A playlist with a byte order mark is an error. Decoding removed the mark from the text. */
function withMarkFinding(nodes: readonly InspectNode[], bytes: Uint8Array): readonly InspectNode[] {
  const [first, ...rest] = nodes
  if (first === undefined || !UTF8_MARK.every((byte, i) => bytes[i] === byte)) return nodes
  const finding = error('begins with a byte order mark: players reject the playlist (RFC 8216, 4)')
  return [withFindings(first, [finding]), ...rest]
}

const UTF8_MARK = [0xef, 0xbb, 0xbf]

interface TextKind {
  fits(text: string): boolean
  /** Undefined for text that only looked like it. */
  explain(text: string, context: Context): Omit<Inspection, 'encodings'> | undefined
}

/** Texts by how they begin. */
const TEXTS: readonly TextKind[] = [
  { fits: (text) => text.startsWith('<'), explain: explainXml },
  { fits: isHls, explain: (text, context) => ({ kind: 'HLS', nodes: explainHls(text.trimEnd(), context) }) },
  {
    fits: (text) => /^skd:\/\//i.test(text),
    explain: (text, context) => ({ kind: 'FairPlay URI', nodes: [explainSkd(text.trim(), context)] }),
  },
  {
    fits: (text) => text.includes('-----BEGIN CERTIFICATE-----'),
    explain: (text, context) => ({ kind: 'X.509 certificate', nodes: explainPemCertificates(text, context) }),
  },
  {
    fits: (text) => /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text),
    explain: () => ({
      kind: 'private key',
      nodes: [node('private key', 'hidden', { findings: [note('use it with --key, to decrypt a document')] })],
    }),
  },
  { fits: (text) => /^\s*\{/.test(text), explain: explainObject },
  { fits: (text) => /^\s*\[\s*\{/.test(text), explain: explainKeyList },
  { fits: (text) => kidIn(text) !== undefined, explain: explainKid },
]

function explainObject(text: string, context: Context): Omit<Inspection, 'encodings'> | undefined {
  const value = jsonObject(text)
  return value && explainJson(value, context)
}

/** The keys of a ClearKey licence without the object around them. */
function explainKeyList(text: string, context: Context): Omit<Inspection, 'encodings'> | undefined {
  const explained = explainObject(`{"keys":${text}}`, context)
  return explained?.kind === 'ClearKey licence' ? explained : undefined
}

/** A kid in any form. 16 bytes without hyphens could be a key, unless they look like a UUID. */
function kidIn(text: string) {
  const kid = text.length <= MAX_KID_TEXT ? kidOfText(text) : undefined
  const isWritten = toKid(text.replace(/^(?:urn:uuid:)?\{?(.*?)\}?$/i, '$1')) !== undefined
  return kid !== undefined && (isWritten || looksLikeKid(kid)) ? kid : undefined
}

const MAX_KID_TEXT = 80

function explainKid(text: string): Omit<Inspection, 'encodings'> | undefined {
  const kid = kidIn(text.trim())
  if (kid === undefined) return undefined
  const isGuess = !text.includes('-')
  const findings = isGuess ? [note('read as a kid, because it looks like a UUID; content keys look random')] : []
  return { kind: 'KID', nodes: [withFindings(kidNode('KID', kid, 'uuid'), findings)] }
}

/** What the text holds in one of its encodings, if that is known. */
function inspectEncoded(text: string, context: Context, encodings: readonly Encoding[]): Inspection | undefined {
  const data = /^data:[^,]*;base64,(.*)$/s.exec(text)?.[1]
  const candidates: readonly (readonly [
    Encoding | 'quotes',
    { readonly bytes: Uint8Array; readonly cut?: string } | undefined,
  ])[] = [
    ['data URI', data === undefined ? undefined : base64In(data)],
    ['hex', hexIn(text)],
    ['base64', looksBase64(text) ? base64In(text) : undefined],
    ...unwrapText(text).map(({ encoding, bytes }) => [encoding, { bytes }] as const),
  ]
  for (const [encoding, decoded] of candidates) {
    if (decoded === undefined) continue
    const found = inspectBytes(decoded.bytes, context, [...encodings, ...(encoding === 'quotes' ? [] : [encoding])])
    if (found.kind === 'unknown') continue
    const [first, ...rest] = found.nodes
    if (first === undefined || decoded.cut === undefined) return found
    return {
      ...found,
      nodes: [
        withFindings(first, [error(`the ${encoding === 'hex' ? 'hex' : 'base64'} is cut: ${decoded.cut}`)]),
        ...rest,
      ],
    }
  }
  return undefined
}

function hexIn(text: string): { readonly bytes: Uint8Array; readonly cut?: string } | undefined {
  const digits = text.replace(/^0x/i, '').replaceAll(/[\s:]/g, '')
  if (!/^[\da-f]{2,}$/i.test(digits)) return undefined
  const bytes = Buffer.from(digits, 'hex')
  if (digits.length % 2 === 0) return { bytes }
  return { bytes, cut: `${digits.length} digits, the last is half a byte` }
}

function base64In(text: string): { readonly bytes: Uint8Array; readonly cut?: string } | undefined {
  const decoded = decodeCutBase64(text)
  return 'bytes' in decoded ? decoded : undefined
}

function boxes(source: ByteSource, context: Context): Inspection {
  const nodes = withRepeatedSystems(explainBoxes(source, context))
  return { kind: nodes.every(({ name }) => name === 'pssh') ? 'pssh' : 'ISO BMFF boxes', encodings: [], nodes }
}

/** Boxes alone are the content of an element or a playlist, where players expect one of each system. */
function withRepeatedSystems(nodes: readonly InspectNode[]): readonly InspectNode[] {
  const last = nodes.at(-1)
  if (last === undefined || nodes.some(({ name }) => name !== 'pssh')) return nodes
  return [...nodes.slice(0, -1), withFindings(last, repeatedSystems(nodes))]
}

function unknown(nodes: readonly InspectNode[]): Omit<Inspection, 'encodings'> & { encodings: [] } {
  return { kind: 'unknown', encodings: [], nodes }
}

/** Unknown data could be a key, so it is hidden unless keys are shown. */
function unknownBytes(bytes: Uint8Array, { showKeys }: Context): InspectNode {
  const size = `${bytes.length} bytes`
  const shown = showKeys === true ? toHex(bytes) : undefined
  return node('input', shown ?? size, {
    meaning: shown === undefined ? 'not shown: it could be a key; --show-keys shows it' : size,
    findings: [
      warning('is nothing that inspect knows'),
      ...(bytes.length === 16 || /^(?:0x)?[\da-f]{32}$/i.test(Buffer.from(bytes).toString('latin1').trim())
        ? [note('if it is a kid, write it as a UUID with hyphens')]
        : []),
    ],
  })
}
