import type { XmlNode } from '@xmldom/xmldom'

// The package's own types import those of @xmldom/xmldom: see xmldom.d.ts. This declares the part that is used.

export class SignedXml {
  constructor(options: {
    readonly publicCert?: string
    readonly privateKey?: string
    readonly signatureAlgorithm?: string
    readonly canonicalizationAlgorithm?: string
    readonly getCertFromKeyInfo?: (keyInfo: unknown) => string | null
  })
  loadSignature(signature: XmlNode): void
  checkSignature(xml: string): boolean
  addReference(reference: {
    readonly xpath: string
    readonly transforms: readonly string[]
    readonly digestAlgorithm: string
    readonly uri?: string
    readonly isEmptyUri?: boolean
  }): void
  computeSignature(
    xml: string,
    options?: { readonly location?: { readonly reference: string; readonly action: string } },
  ): void
  getSignedXml(): string
}
