import { guidBytes, type Kid, toKid, uuidBytes } from '../../../src/formats/cenc.ts'
import { decodePssh, encodePssh } from '../../../src/formats/drm/payloads/pssh.ts'
import type { XmlDocument, XmlElement } from '../../../src/formats/xml/document.ts'
import { attributeOf, readXml, textOf } from '../../../src/formats/xml/reader.ts'

/** Ways to break a document at one place, and leave the rest as it is. */

interface Change {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** The document with what `change` makes of each element of a local name. */
export function changeElements(
  xml: string,
  local: string,
  change: (element: XmlElement, document: XmlDocument) => Change | undefined,
): string {
  const document = readXml(Buffer.from(xml), { bytes: 8 * 1024 * 1024, elements: 200_000 })
  const changes: Change[] = []
  const visit = (element: XmlElement): void => {
    const one = element.local === local ? change(element, document) : undefined
    if (one !== undefined) changes.push(one)
    for (const child of element.children) visit(child)
  }
  visit(document.root)
  return changes
    .toSorted((a, b) => b.start - a.start)
    .reduce((text, { start, end, text: put }) => text.slice(0, start) + put + text.slice(end), document.source)
}

/** The document without elements of a name that `which` picks. */
export function removeElements(
  xml: string,
  local: string,
  which: (element: XmlElement) => boolean = () => true,
): string {
  return changeElements(xml, local, (element) =>
    which(element) ? { start: element.start, end: element.end, text: '' } : undefined,
  )
}

/** The document with other text in elements of a name. */
export function changeText(
  xml: string,
  local: string,
  change: (text: string, element: XmlElement) => string | undefined,
): string {
  return changeElements(xml, local, (element, document) => {
    const text = change(textOf(document, element), element)
    if (text === undefined || element.children.length > 0) return undefined
    return element.selfClosing
      ? { start: element.start, end: element.end, text: `<${startOf(document, element)}>${text}</${element.name}>` }
      : { start: element.contentStart, end: element.contentEnd, text }
  })
}

function startOf({ source }: XmlDocument, element: XmlElement): string {
  return source.slice(element.start + 1, element.attributesEnd)
}

/** The document with another value of an attribute of elements of a name; undefined takes it away. */
export function changeAttribute(
  xml: string,
  local: string,
  name: string,
  change: (value: string | undefined, element: XmlElement) => string | undefined,
): string {
  return changeElements(xml, local, (element) => {
    const attribute = element.attributes.find((one) => one.name === name)
    const value = change(attribute?.value, element)
    if (attribute === undefined) {
      return value === undefined
        ? undefined
        : { start: element.attributesEnd, end: element.attributesEnd, text: ` ${name}="${value}"` }
    }
    if (value === undefined) return { start: attribute.start - 1, end: attribute.end, text: '' }
    return { start: attribute.valueStart, end: attribute.valueEnd, text: value }
  })
}

/** The document with other bytes in base64 elements of a name, where they hold any and are of a DRM system. */
export function changeBytes(
  xml: string,
  local: string,
  systemId: string | undefined,
  change: (bytes: Buffer, kid: Kid, element: XmlElement) => Uint8Array | string,
): string {
  return changeText(xml, local, (text, element) => {
    const own = element.parent && attributeOf(element.parent, 'systemId')?.toLowerCase()
    const kid = toKid((element.parent && attributeOf(element.parent, 'kid')) ?? '')
    if (text.trim() === '' || kid === undefined || (systemId !== undefined && own !== systemId)) return undefined
    return Buffer.from(change(Buffer.from(text, 'base64'), kid, element)).toString('base64')
  })
}

/** The document with other HLS lines of a system; undefined: of all. */
export function changeLines(
  xml: string,
  systemId: string | undefined,
  change: (line: string, kid: Kid, playlist: string) => string,
): string {
  return changeBytes(xml, 'HLSSignalingData', systemId, (bytes, kid, element) =>
    change(bytes.toString(), kid, attributeOf(element, 'playlist') ?? ''),
  )
}

/** The document with other data in every pssh box of a system, wherever it stands as base64. */
export function changeBoxes(
  xml: string,
  systemId: string,
  change: (box: ReturnType<typeof decodePssh>, kid: Kid) => Uint8Array,
): string {
  let text = xml
  const boxes = new Map<string, string>()
  changeBytes(xml, 'PSSH', systemId, (bytes, kid) => {
    const box = decodePssh(bytes)
    const changed = change(box, kid)
    boxes.set(bytes.toString('base64'), Buffer.from(changed).toString('base64'))
    return bytes
  })
  text = changeBytes(text, 'PSSH', systemId, (bytes) =>
    Buffer.from(boxes.get(bytes.toString('base64')) ?? '', 'base64'),
  )
  const inText = (bytes: Buffer): string =>
    [...boxes].reduce((all, [from, to]) => all.replaceAll(from, to), bytes.toString())
  text = changeBytes(text, 'ContentProtectionData', systemId, inText)
  return changeBytes(text, 'HLSSignalingData', systemId, inText)
}

/** The document with other WRMHEADERs of PlayReady, wherever they stand. */
export function changeHeaders(xml: string, change: (header: string, kid: Kid) => string): string {
  const PLAYREADY = '9a04f079-9840-4286-ab92-e65be0885f95'
  const objects = new Map<string, Buffer>()
  let text = changeBoxes(xml, PLAYREADY, ({ data, ...box }, kid) => {
    const changed = objectOf(change(Buffer.from(data.subarray(10)).toString('utf16le'), kid))
    objects.set(Buffer.from(data).toString('base64'), changed)
    return encodePssh({ ...box, data: changed })
  })
  const inText = (bytes: Buffer): string =>
    [...objects].reduce((all, [from, to]) => all.replaceAll(from, to.toString('base64')), bytes.toString())
  text = changeBytes(text, 'ContentProtectionData', PLAYREADY, inText)
  text = changeBytes(text, 'HLSSignalingData', PLAYREADY, inText)
  for (const local of ['SmoothStreamingProtectionHeaderData', 'ProtectionHeader']) {
    text = changeBytes(text, local, PLAYREADY, (bytes) => objects.get(bytes.toString('base64')) ?? bytes)
  }
  return text
}

function objectOf(header: string): Buffer {
  const value = Buffer.from(header, 'utf16le')
  const head = Buffer.alloc(10)
  head.writeUInt32LE(value.length + 10, 0)
  head.writeUInt16LE(1, 4)
  head.writeUInt16LE(1, 6)
  head.writeUInt16LE(value.length, 8)
  return Buffer.concat([head, value])
}

export const guid = (kid: Kid): Buffer => guidBytes(kid)
export const uuid = (kid: Kid): Buffer => uuidBytes(kid)
