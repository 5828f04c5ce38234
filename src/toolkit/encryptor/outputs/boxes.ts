import { KeyProviderError } from '../../../core/errors.ts'
import { decodeUtf16le, encodeUtf16le } from '../../../core/utf16.ts'
import { guidBytes, type Kid, type SystemId } from '../../../formats/cenc.ts'
import { PLAYREADY, WIDEVINE } from '../../../formats/drm/facts.ts'
import {
  decodePlayReadyObject,
  encodePlayReadyObject,
  WRMHEADER_RECORD,
} from '../../../formats/drm/payloads/playready-object.ts'
import { decodePsshBoxes, type PsshBox } from '../../../formats/drm/payloads/pssh.ts'
import { decodeWidevinePsshData, encodeWidevinePsshData } from '../../../formats/drm/payloads/widevine-pssh-data.ts'
import { readWrmHeader, WRMHEADER_NAMESPACE } from '../../../formats/drm/payloads/wrm-header.ts'
import type { XmlDocument, XmlElement } from '../../../formats/xml/document.ts'
import { escapeAttribute } from '../../../formats/xml/markup.ts'
import { readXml } from '../../../formats/xml/reader.ts'
import type { Answer } from '../answer/read.ts'

/** The pssh boxes of one DRM system in an answer. */
interface SystemBoxes {
  readonly name: string
  readonly systemId: SystemId
  /** Every different box, in the order of the answer. */
  readonly boxes: readonly PsshBox[]
  /** One box that lists every kid and otherwise equals all boxes; undefined if they differ in more than their kids. */
  readonly merged: PsshBox | undefined
}

/** Returns the pssh boxes of an answer by DRM system, in the order of the answer. */
export function boxesBySystem({ systems }: Answer): readonly SystemBoxes[] {
  const withBox = systems.flatMap(({ name, systemId, pssh }) => (pssh === undefined ? [] : [{ name, systemId, pssh }]))
  return [...Map.groupBy(withBox, ({ systemId }) => systemId)].map(([systemId, own]) => {
    const boxes = distinct(own.flatMap(({ pssh }) => decodePsshBoxes(pssh)))
    return { name: own[0]?.name ?? systemId, systemId, boxes, merged: merge(boxes) }
  })
}

/** One box per DRM system for a file with several tracks, which shares its boxes. `apart`: systems whose boxes cannot be merged. */
export function boxesOfFile(answer: Answer): {
  readonly boxes: readonly PsshBox[]
  readonly apart: readonly string[]
} {
  const systems = boxesBySystem(answer)
  return {
    boxes: systems.flatMap(({ merged }) => merged ?? []),
    apart: systems.filter(({ merged }) => merged === undefined).map(({ name }) => name),
  }
}

function distinct(boxes: readonly PsshBox[]): readonly PsshBox[] {
  return [...new Map(boxes.map((box) => [JSON.stringify([box.systemId, box.kids, hexOf(box.data)]), box])).values()]
}

function merge(boxes: readonly PsshBox[]): PsshBox | undefined {
  const [first] = boxes
  if (first === undefined || boxes.length === 1) return first
  // A box without kids in its header beside one with them: the versions differ.
  if (boxes.some(({ kids }) => (kids.length === 0) !== (first.kids.length === 0))) return undefined
  const data = mergeData(boxes)
  return data && { systemId: first.systemId, kids: unionOf(boxes.map(({ kids }) => kids)), data }
}

function mergeData(boxes: readonly PsshBox[]): Uint8Array | undefined {
  const [first] = boxes
  if (first === undefined) return undefined
  if (boxes.every(({ data }) => Buffer.compare(data, first.data) === 0)) return first.data
  const payloads = boxes.map(({ data }) => data)
  try {
    if (first.systemId === WIDEVINE) return mergeWidevine(payloads)
    return first.systemId === PLAYREADY ? mergePlayReady(payloads) : undefined
  } catch (error) {
    // What does not decode cannot be merged; each box then stays as it is.
    if (error instanceof KeyProviderError) return undefined
    throw error
  }
}

function mergeWidevine(payloads: readonly Uint8Array[]): Uint8Array | undefined {
  const messages = payloads.map(decodeWidevinePsshData)
  const [first] = messages
  const rest = messages.map((message) => encodeWidevinePsshData({ ...message, keyIds: [] }))
  if (first === undefined || new Set(rest.map(hexOf)).size > 1) return undefined
  return encodeWidevinePsshData({ ...first, keyIds: unionOf(messages.map(({ keyIds }) => keyIds)) })
}

/**
 * Only headers from 4.2 on have a list of KIDs, so 4.0 and 4.1 headers become 4.2.
 * @see https://learn.microsoft.com/playready/specifications/playready-header-specification
 */
function mergePlayReady(payloads: readonly Uint8Array[]): Uint8Array | undefined {
  const extras = new Set(payloads.map(extraDataOf))
  const [extra] = extras
  const headers = payloads.flatMap((payload) => decodePlayReadyObject(payload).map(({ value }) => readWrmHeader(value)))
  const keys = headers.flatMap((header) => header.keys)
  const algids = new Set(keys.map(({ algid = 'AESCTR' }) => algid))
  const [algid] = algids
  if (extras.size !== 1 || algids.size !== 1 || extra === undefined || algid === undefined) return undefined
  const version = headers.some((header) => header.version === '4.3.0.0') ? '4.3.0.0' : '4.2.0.0'
  const kids = [...new Map(keys.map((key) => [key.kid, key])).values()].map(({ kid, checksum }) => {
    const check = checksum === undefined ? '' : ` CHECKSUM="${escapeAttribute(checksum.trim())}"`
    return `<KID ALGID="${escapeAttribute(algid)}"${check} VALUE="${guidBytes(kid).toString('base64')}"></KID>`
  })
  const data = `<PROTECTINFO><KIDS>${kids.join('')}</KIDS></PROTECTINFO>${extra}`
  const text = `<WRMHEADER xmlns="${WRMHEADER_NAMESPACE}" version="${version}"><DATA>${data}</DATA></WRMHEADER>`
  return encodePlayReadyObject([{ type: WRMHEADER_RECORD, value: encodeUtf16le(text) }])
}

/**
 * The XML in DATA of the PlayReady headers besides the keys: licence URLs, DS_ID and custom attributes. Undefined if the headers
 * differ in it.
 */
export function playReadyExtraData({ boxes }: SystemBoxes): string | undefined {
  const texts = new Set(boxes.map(({ data }) => extraDataOf(data)))
  const [text] = texts
  return texts.size === 1 ? text : undefined
}

const KEY_ELEMENTS: ReadonlySet<string> = new Set(['PROTECTINFO', 'KID', 'CHECKSUM'])

function extraDataOf(object: Uint8Array): string {
  return decodePlayReadyObject(object)
    .filter(({ type }) => type === WRMHEADER_RECORD)
    .flatMap(({ value }) => {
      const document = readXml(Buffer.from(decodeUtf16le(value)))
      return childrenBesideKeys(document).map(({ start, end }) => document.source.slice(start, end))
    })
    .join('')
}

function childrenBesideKeys({ root }: XmlDocument): readonly XmlElement[] {
  return (find(root, 'DATA')?.children ?? []).filter(({ local }) => !KEY_ELEMENTS.has(local))
}

/** Whether a Widevine box has only what packagers write themselves: kids and scheme. */
export function isPlainWidevine({ boxes }: SystemBoxes): boolean {
  return boxes.every(({ kids, data }) => {
    const { keyIds: _, protectionScheme: __, ...rest } = decodeWidevinePsshData(data)
    return kids.length === 0 && Object.keys(rest).length === 0
  })
}

function find(element: XmlElement, local: string): XmlElement | undefined {
  for (const child of element.children) {
    const found = child.local === local ? child : find(child, local)
    if (found !== undefined) return found
  }
  return undefined
}

function unionOf(lists: readonly (readonly Kid[])[]): readonly Kid[] {
  return [...new Set(lists.flat())]
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
