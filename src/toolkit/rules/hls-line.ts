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
