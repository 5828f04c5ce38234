import { KeyProviderError } from '../../core/errors.ts'
import { decodeUtf16le } from '../../core/utf16.ts'
import { guidBytes, type Kid, kidOfBytes } from '../../formats/cenc.ts'
import { COMMON_PSSH, PLAYREADY, WIDEVINE } from '../../formats/drm/facts.ts'
import { decodePlayReadyObject, WRMHEADER_RECORD } from '../../formats/drm/payloads/playready-object.ts'
import { decodePsshBoxes, type PsshBox } from '../../formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData, type WidevinePsshData } from '../../formats/drm/payloads/widevine-pssh-data.ts'
import { readWrmHeader, type WrmHeader } from '../../formats/drm/payloads/wrm-header.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { readXml, textOf } from '../../formats/xml/reader.ts'
import { type ExpectedPayload, misplacedPayload, type PayloadKind, payloadOf } from '../inspect/payload.ts'
import { filledSlot, filledSlots, type SystemView } from './view.ts'

/** Bytes inside an element, and the words that name their place in a message. */
interface Payload {
  readonly element: XmlElement
  readonly where: string
  readonly bytes: Buffer
}

/** A decoded value, or the reason why the bytes do not decode. */
type Read<T> = { readonly value: T } | { readonly problem: string }

/** The pssh boxes of a system: from PSSH, ContentProtectionData and a Widevine HLS line. */
export function psshPayloads(system: SystemView): readonly Payload[] {
  return [
    ...filledSlots(system, 'pssh').map(({ element, bytes }) => ({ element, where: 'the pssh box', bytes })),
    ...fragmentPayloads(system, 'pssh', 'the pssh in ContentProtectionData'),
    ...(system.systemId === WIDEVINE ? linePayloads(system, 'the pssh box in the HLS line') : []),
  ]
}

/** The PlayReady Objects of a system: from pssh boxes, mspr:pro, HLS lines and Smooth Streaming headers. */
export function playReadyPayloads(system: SystemView): readonly Payload[] {
  if (system.systemId !== PLAYREADY) return []
  const inBoxes = psshPayloads(system).flatMap(({ element, where, bytes }) => {
    const boxes = readBoxes(bytes)
    return 'problem' in boxes
      ? []
      : boxes.value.map(({ data }) => ({
          element,
          where: `the PlayReady Object in ${where}`,
          bytes: Buffer.from(data),
        }))
  })
  return [
    ...inBoxes,
    ...fragmentPayloads(system, 'pro', 'mspr:pro'),
    ...linePayloads(system, 'the PlayReady Object in the HLS line'),
    ...filledSlots(system, 'smooth', 'protectionHeader').map(({ element, bytes }) => ({
      element,
      where: 'the Smooth Streaming header',
      bytes,
    })),
  ]
}

/** The PlayReady Object in PSSH of a system; undefined for other systems, or if PSSH does not decode. */
export function objectInPssh(system: SystemView): Buffer | undefined {
  const slot = system.systemId === PLAYREADY ? filledSlot(system, 'pssh') : undefined
  const boxes = slot && readBoxes(slot.bytes)
  const [box] = boxes !== undefined && 'value' in boxes ? boxes.value : []
  return box && Buffer.from(box.data)
}

export function readBoxes(bytes: Uint8Array): Read<readonly PsshBox[]> {
  return read(() => decodePsshBoxes(bytes), bytes, 'pssh box')
}

export function readWidevine(bytes: Uint8Array): Read<WidevinePsshData> {
  return read(() => decodeWidevinePsshData(bytes), bytes, 'WidevinePsshData')
}

/** The WRMHEADERs of a PlayReady Object. */
export function readHeaders(bytes: Uint8Array): Read<readonly WrmHeader[]> {
  return read(() => headerRecords(bytes).map(readWrmHeader), bytes, 'PlayReady Object')
}

/** The XML of the WRMHEADERs of a PlayReady Object, as far as it is well-formed. */
export function headerDocuments(bytes: Uint8Array): readonly XmlDocument[] {
  const records = read(() => headerRecords(bytes))
  if ('problem' in records) return []
  return records.value.flatMap((value) => {
    const document = read(() => readXml(Buffer.from(decodeUtf16le(value))))
    return 'problem' in document ? [] : [document.value]
  })
}

function headerRecords(bytes: Uint8Array): readonly Uint8Array[] {
  return decodePlayReadyObject(bytes)
    .filter(({ type }) => type === WRMHEADER_RECORD)
    .map(({ value }) => value)
}

/** The kids in the boxes of `bytes`, both in the box header and in Widevine or PlayReady data. */
export function kidsInBoxes(bytes: Uint8Array): readonly Kid[] {
  const boxes = readBoxes(bytes)
  if ('problem' in boxes) return []
  return boxes.value.flatMap(({ systemId, kids, data }) => {
    const widevine = systemId === WIDEVINE ? readWidevine(data) : undefined
    const headers = systemId === PLAYREADY ? readHeaders(data) : undefined
    return [
      ...kids,
      ...(widevine !== undefined && 'value' in widevine ? widevine.value.keyIds : []),
      ...(headers !== undefined && 'value' in headers
        ? headers.value.flatMap(({ keys }) => keys.map((key) => key.kid))
        : []),
    ]
  })
}

/** Whether the boxes of a system normally list other kids of the document too. */
export function listsOtherKids({ systemId }: SystemView): boolean {
  return systemId === COMMON_PSSH
}

/** The fragment of ContentProtectionData, as the children of a root element. */
export function readFragment(bytes: Uint8Array): Read<XmlDocument> {
  const fragment = read(() => readXml(Buffer.concat([Buffer.from('<fragment>'), bytes, Buffer.from('</fragment>')])))
  const payload = 'problem' in fragment ? payloadOf(bytes) : undefined
  return payload === undefined ? fragment : { problem: notXml(payload.kind) }
}

/** What to write instead of a payload that is not XML. */
function notXml(kind: PayloadKind): string {
  const element =
    kind === 'PlayReady Object'
      ? '<mspr:pro xmlns:mspr="urn:microsoft:playready">'
      : '<cenc:pssh xmlns:cenc="urn:mpeg:cenc:2013">'
  const content = kind === 'pssh box' || kind === 'PlayReady Object' ? `its base64` : 'base64 of a whole pssh box'
  return `it holds a ${kind}, not XML; write ${content} into ${element}`
}

/** Namespaces of the elements in ContentProtectionData. */
const FRAGMENT_NAMESPACES: Readonly<Record<string, string>> = {
  pssh: 'urn:mpeg:cenc:2013',
  pro: 'urn:microsoft:playready',
}

function fragmentPayloads(system: SystemView, local: 'pssh' | 'pro', where: string): readonly Payload[] {
  return filledSlots(system, 'contentProtectionData').flatMap(({ element, bytes }) => {
    const fragment = readFragment(bytes)
    if ('problem' in fragment) return []
    const { root } = fragment.value
    return root.children
      .filter((child) => child.local === local && child.namespace === FRAGMENT_NAMESPACES[local])
      .map((child) => ({
        element,
        where,
        bytes: Buffer.from(textOf(fragment.value, child).replaceAll(/\s+/g, ''), 'base64'),
      }))
  })
}

function linePayloads(system: SystemView, where: string): readonly Payload[] {
  return filledSlots(system, 'hlsMedia', 'hlsMaster').flatMap(({ element, bytes }) => {
    const line = readHlsLine(bytes.toString('utf8'))
    const data = line && dataUriBytes(hlsAttribute(line, 'URI'))
    return data === undefined ? [] : [{ element, where, bytes: data }]
  })
}

/** Decodes bytes. If they do not decode, but are another payload, the problem names it. */
function read<T>(decode: () => T, bytes?: Uint8Array, expected?: ExpectedPayload): Read<T> {
  try {
    return { value: decode() }
  } catch (error) {
    if (!(error instanceof KeyProviderError)) throw error
    const payload = bytes === undefined ? undefined : payloadOf(bytes)
    if (payload === undefined || expected === undefined || payload.kind === expected) return { problem: error.message }
    return { problem: `it ${misplacedPayload(payload, expected)}` }
  }
}

/** The kid that results from reading the bytes of a kid in the other byte order (UUID or little-endian GUID). */
export function swappedKid(kid: Kid): Kid {
  return kidOfBytes(guidBytes(kid))
}

/**
 * The problem with the kids that a payload names, or undefined if they include the kid of its DRMSystem. A payload without
 * kids is valid: the licence server then uses other data, such as a content ID.
 */
export function kidProblem(
  kid: Kid | undefined,
  named: readonly Kid[],
  where: string,
  order: 'uuid' | 'guid',
): string | undefined {
  if (kid === undefined || named.length === 0 || named.includes(kid)) return undefined
  const [written, expected] =
    order === 'uuid'
      ? ['little-endian GUID order, which only PlayReady uses', 'UUID order (big-endian)']
      : ['UUID order (big-endian)', 'little-endian GUID order']
  return named.includes(swappedKid(kid))
    ? `${where} contains the kid ${kid} in ${written}; expected ${expected}`
    : `${where} has the kid ${named.join(', ')}, but its DRMSystem has ${kid}`
}

/** An HLS tag with its attribute list, unchanged. */
export interface HlsLine {
  /** With its colon: `#EXT-X-KEY:`. */
  readonly tag: string
  readonly attributes: readonly HlsLineAttribute[]
  /** The attribute list as text. */
  readonly list: string
}

interface HlsLineAttribute {
  readonly name: string
  /** Without quotes. */
  readonly value: string
  readonly quoted: boolean
}

const ATTRIBUTE = /([A-Z0-9-]+)=(?:"([^"\r\n]*)"|([^",\s]+))(?:,|$)/y

/** Reads a line; undefined if it is not a tag with a valid attribute list. @see RFC 8216, 4.2 */
export function readHlsLine(text: string): HlsLine | undefined {
  const [, tag, list] = /^(#EXT-X-[A-Z-]+:)(.*)$/.exec(text) ?? []
  if (tag === undefined || list === undefined || list === '') return undefined
  const attributes: HlsLineAttribute[] = []
  ATTRIBUTE.lastIndex = 0
  while (ATTRIBUTE.lastIndex < list.length) {
    const [, name = '', quoted, plain] = ATTRIBUTE.exec(list) ?? []
    if (name === '') return undefined
    attributes.push({ name, value: quoted ?? plain ?? '', quoted: quoted !== undefined })
  }
  // After a trailing comma, an attribute is missing.
  return list.endsWith(',') ? undefined : { tag, attributes, list }
}

/** The value of an attribute of a line. */
export function hlsAttribute({ attributes }: HlsLine, name: string): string | undefined {
  return attributes.find((attribute) => attribute.name === name)?.value
}

/** The bytes of a base64 `data:` URI. */
export function dataUriBytes(uri: string | undefined): Buffer | undefined {
  const [, base64] = /^data:[^,]*;base64,([A-Za-z0-9+/]+={0,2})$/.exec(uri ?? '') ?? []
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64')
}
