// The package's own types pull in the types of browsers for the whole project. This declares the part that is used.

export interface XmlNode {
  readonly namespaceURI?: string | null
  readonly localName?: string | null
  readonly childNodes?: ArrayLike<XmlNode> | null
}

export class DOMParser {
  parseFromString(text: string, mediaType: string): { readonly documentElement: XmlNode | undefined }
}
