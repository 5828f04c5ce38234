/** A document that was read. Its elements have their offsets in `source`, in UTF-16 units. */
export interface XmlDocument {
  /** The text that was read, without a byte order mark. */
  readonly source: string
  readonly root: XmlElement
}

/** One attribute, namespace declarations included. */
export interface XmlAttribute {
  /** As written, prefix included. */
  readonly name: string
  readonly prefix: string
  readonly local: string
  /** '' for an unprefixed attribute; the xmlns namespace for declarations. */
  readonly namespace: string
  /** Normalized and with references resolved. @see XML 1.0, 3.3.3 */
  readonly value: string
  /** Offset of the first character of the name. */
  readonly start: number
  /** Offset just past the closing quote. */
  readonly end: number
  /** Offsets of the raw value between the quotes. */
  readonly valueStart: number
  readonly valueEnd: number
}

export interface XmlElement {
  /** As written, prefix included. */
  readonly name: string
  readonly prefix: string
  readonly local: string
  readonly namespace: string
  readonly attributes: readonly XmlAttribute[]
  /** Child elements in document order. */
  readonly children: readonly XmlElement[]
  readonly parent: XmlElement | undefined
  /** Offset of `<`. */
  readonly start: number
  /** Offset just past the last attribute, or past the name without one: an attribute can be added here. */
  readonly attributesEnd: number
  /** Offset just past the `>` of the start tag; equal to `end` for a self-closing element. */
  readonly contentStart: number
  /** Offset of the `<` of the end tag; equal to `end` for a self-closing element. */
  readonly contentEnd: number
  /** Offset just past the element. */
  readonly end: number
  readonly selfClosing: boolean
  /** Whether the content has anything but child elements: text, CDATA, comments (white space included). */
  readonly hasText: boolean
}

/** The namespace of namespace declarations. */
export const XMLNS_NAMESPACE = 'http://www.w3.org/2000/xmlns/'
/** The namespace of xml:lang and its kin. */
export const XML_NAMESPACE = 'http://www.w3.org/XML/1998/namespace'

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
