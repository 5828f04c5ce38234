import { encodeUtf16le } from '../../core/utf16.ts'
import { toKid } from '../../formats/cenc.ts'
import { decodeBase64, looksBase64 } from './base64.ts'
import { toHex } from './byte-reader.ts'
import { explainCertificate, explainPemCertificates, isCertificate } from './certificate.ts'
import { explainCpix } from './cpix/cpix.ts'
import { explainMpd, explainProtectionElements, explainSmooth } from './dash.ts'
import { explainHls, isHls } from './hls.ts'
import { kidNode } from './kids.ts'
import { type ByteSource, explainBoxes, isBoxes, sourceOf } from './mp4/mp4.ts'
import { error, type InspectNode, node, note, warning } from './node.ts'
import { type Context, type InspectOptions, MAX_BYTES, newContext } from './options.ts'
import { explainPlayReadyObject, explainWrmHeader } from './playready.ts'
import { explainSkd } from './skd.ts'
import { firstNotText, textOfBytes, textOfUtf16 } from './text.ts'
import { explainWidevine, isWidevineMessage } from './widevine.ts'
import { readFragment, readXmlText, rootNameOf } from './xml.ts'

/** What something is. */
export interface Inspection {
  readonly kind: Kind
  /** What it was wrapped in, outermost first. */
  readonly encodings: readonly Encoding[]
  readonly nodes: readonly InspectNode[]
}

export type Encoding = 'hex' | 'base64' | 'UTF-16' | 'data URI'
export type Kind =
  | 'CPIX'
  | 'pssh'
  | 'ISO BMFF boxes'
  | 'PlayReady Object'
  | 'WRMHEADER'
  | 'Widevine message'
  | 'HLS'
  | 'DASH MPD'
  | 'Smooth Streaming manifest'
  | 'ContentProtection elements'
  | 'FairPlay URI'
  | 'X.509 certificate'
  | 'KID'
  | 'private key'
  | 'XML'
  | 'unknown'

/** Explains bytes or text: what they are, part by part. Damaged ones are explained as far as they go; nothing makes it throw. */
export function inspect(input: Uint8Array | string, options: InspectOptions = {}): Inspection {
  return inspectSource(sourceOf(typeof input === 'string' ? Buffer.from(input) : input), options)
}

/** The same for a file of any size: of MP4 only what describes the media is read. */
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
  if (isPlayReadyObject(bytes)) return made('PlayReady Object', explainPlayReadyObject(bytes, 0, context))
  if (isCertificate(bytes)) return made('X.509 certificate', [explainCertificate(bytes, context)])
  const wide = textOfUtf16(bytes)
  if (wide !== undefined) return inspectText(wide, bytes, context, [...encodings, 'UTF-16'])
  // A message can be all printable characters, but text is likelier.
  const text = textOfBytes(bytes)
  const found = text === undefined ? undefined : inspectText(text, bytes, context, encodings)
  if (found !== undefined && found.kind !== 'unknown') return found
  if (text === undefined && bytes[0] === LESS_THAN) return made('XML', [notUtf8(bytes)])
  if (isWidevineMessage(bytes)) return made('Widevine message', explainWidevine(bytes, 0, context))
  return found ?? { ...unknown([unknownBytes(bytes, context)]), encodings }
}

/** XML whose bytes are no text. */
function notUtf8(bytes: Uint8Array): InspectNode {
  const offset = firstNotText(bytes)
  const findings = [error(`breaks at byte ${offset}: not UTF-8, or a control character`)]
  return node('damaged', undefined, { place: { offset, length: bytes.length - offset }, findings })
}

function inspectText(text: string, bytes: Uint8Array, context: Context, encodings: readonly Encoding[]): Inspection {
  const trimmed = text.trim()
  const kind = TEXTS.find(({ fits }) => fits(trimmed))
  if (kind !== undefined) return { encodings, ...kind.explain(text, context) }
  const found = encodings.length < MAX_ENCODINGS ? inspectEncoded(trimmed, context, encodings) : undefined
  return found ?? { ...unknown([unknownBytes(bytes, context)]), encodings }
}

interface TextKind {
  fits(text: string): boolean
  explain(text: string, context: Context): Omit<Inspection, 'encodings'>
}

/** Texts by how they begin. */
const TEXTS: readonly TextKind[] = [
  { fits: (text) => text.startsWith('<'), explain: explainXml },
  { fits: isHls, explain: (text, context) => ({ kind: 'HLS', nodes: explainHls(text.trim(), context) }) },
  {
    fits: (text) => /^skd:\/\//i.test(text),
    explain: (text) => ({ kind: 'FairPlay URI', nodes: [explainSkd(text.trim())] }),
  },
  {
    fits: (text) => text.includes('-----BEGIN CERTIFICATE-----'),
    explain: (text, context) => ({ kind: 'X.509 certificate', nodes: explainPemCertificates(text, context) }),
  },
  {
    fits: (text) => /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text),
    explain: () => ({
      kind: 'private key',
      nodes: [node('private key', 'hidden', { findings: [note('--key takes it, to open what is encrypted for it')] })],
    }),
  },
  { fits: (text) => uuidIn(text) !== undefined, explain: explainUuid },
]

function uuidIn(text: string) {
  return toKid(text.replace(/^urn:uuid:|^\{|\}$/gi, ''))
}

function explainUuid(text: string): Omit<Inspection, 'encodings'> {
  const kid = uuidIn(text.trim())
  return { kind: 'KID', nodes: kid === undefined ? [] : [kidNode('KID', kid, 'uuid')] }
}

const XML_KINDS: Readonly<Record<string, Kind>> = {
  CPIX: 'CPIX',
  MPD: 'DASH MPD',
  SmoothStreamingMedia: 'Smooth Streaming manifest',
  WRMHEADER: 'WRMHEADER',
  ContentProtection: 'ContentProtection elements',
  pssh: 'ContentProtection elements',
  pro: 'ContentProtection elements',
  Laurl: 'ContentProtection elements',
  laurl: 'ContentProtection elements',
  Protection: 'Smooth Streaming manifest',
  ProtectionHeader: 'Smooth Streaming manifest',
}

function explainXml(text: string, context: Context): Omit<Inspection, 'encodings'> {
  const name = rootNameOf(text) ?? ''
  const kind = (Object.hasOwn(XML_KINDS, name) ? XML_KINDS[name] : undefined) ?? 'XML'
  if (kind === 'WRMHEADER') return { kind, nodes: explainWrmHeader(text.trim(), context) }
  const read = kind === 'ContentProtection elements' ? readFragment(text) : readXmlText(text)
  if ('broken' in read) return { kind, nodes: [read.broken] }
  const { document } = read
  if (kind === 'CPIX') return { kind, nodes: explainCpix(document, context) }
  if (kind === 'DASH MPD') return { kind, nodes: explainMpd(document, context) }
  if (kind === 'Smooth Streaming manifest') return { kind, nodes: explainSmooth(document, context) }
  if (kind === 'XML') return { kind, nodes: [node(name, undefined, { meaning: 'an element that is not known here' })] }
  return { kind, nodes: explainProtectionElements(document, document.root.children, context) }
}

/** What hexadecimal, base64 or a data URI holds, if that is known. */
function inspectEncoded(text: string, context: Context, encodings: readonly Encoding[]): Inspection | undefined {
  const data = /^data:[^,]*;base64,(.*)$/s.exec(text)?.[1]
  const candidates: readonly (readonly [Encoding, Uint8Array | undefined])[] = [
    ['data URI', data === undefined ? undefined : base64In(data)],
    ['hex', hexIn(text)],
    ['base64', looksBase64(text) ? base64In(text) : undefined],
  ]
  for (const [encoding, bytes] of candidates) {
    const found = bytes === undefined ? undefined : inspectBytes(bytes, context, [...encodings, encoding])
    if (found !== undefined && found.kind !== 'unknown') return found
  }
  return undefined
}

function hexIn(text: string): Uint8Array | undefined {
  const digits = text.replace(/^0x/i, '').replaceAll(/[\s:]/g, '')
  return /^(?:[\da-f]{2})+$/i.test(digits) ? Buffer.from(digits, 'hex') : undefined
}

function base64In(text: string): Uint8Array | undefined {
  const decoded = decodeBase64(text)
  return 'bytes' in decoded ? decoded.bytes : undefined
}

function boxes(source: ByteSource, context: Context): Inspection {
  const nodes = explainBoxes(source, context)
  return { kind: nodes.every(({ name }) => name === 'pssh') ? 'pssh' : 'ISO BMFF boxes', encodings: [], nodes }
}

/** Whether bytes begin as a PlayReady Object: its length, then few records of a known type. */
function isPlayReadyObject(bytes: Uint8Array): boolean {
  if (bytes.length < 10) return false
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [length, count, type] = [view.readUInt32LE(0), view.readUInt16LE(4), view.readUInt16LE(6)]
  const isHeader = view.includes(encodeUtf16le('<WRMHEADER'))
  return count > 0 && count < 16 && type > 0 && type < 4 && (length === bytes.length || isHeader)
}

function unknown(nodes: readonly InspectNode[]): Omit<Inspection, 'encodings'> & { encodings: [] } {
  return { kind: 'unknown', encodings: [], nodes }
}

/** What nobody knows may be a key: it is shown only when keys are. */
function unknownBytes(bytes: Uint8Array, { showKeys }: Context): InspectNode {
  const size = `${bytes.length} bytes`
  const shown = showKeys === true ? toHex(bytes) : undefined
  return node('input', shown ?? size, {
    meaning: shown === undefined ? 'not shown: it could be a key; --show-keys shows it' : size,
    findings: [warning('is nothing that is known here')],
  })
}
