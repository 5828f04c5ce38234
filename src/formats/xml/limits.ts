/** How large a document may be. Each is checked before the work it bounds is done. */
export interface XmlLimits {
  readonly bytes: number
  readonly depth: number
  readonly elements: number
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number
  /** Attributes of all elements together. */
  readonly allAttributes: number
  /** Characters of one attribute value, one CDATA section, or the text between two tags or comments. */
  readonly textLength: number
  /** Characters of a name, prefix included. */
  readonly nameLength: number
}

export const XML_LIMITS: XmlLimits = {
  bytes: 1024 * 1024,
  depth: 32,
  elements: 20_000,
  attributes: 64,
  allAttributes: 40_000,
  textLength: 64 * 1024,
  nameLength: 256,
}
