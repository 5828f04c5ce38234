import { randomBytes } from 'node:crypto'
import { SignedXml } from 'xml-crypto'
import { certificateOf, rsaKeys } from './certificates.ts'

const EXC_C14N = 'http://www.w3.org/2001/10/xml-exc-c14n#'
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature'

export interface Signer {
  readonly privateKey: string
  readonly certificate: Buffer
}

/** A signer with a key of its own. */
export function newSigner(bits = 2048): Signer {
  const keys = rsaKeys(bits)
  return {
    privateKey: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: certificateOf(keys),
  }
}

export interface SigningOptions {
  /** The ids of the signed elements; undefined: the whole document. */
  readonly ids?: readonly string[]
  readonly c14n?: string
  readonly signatureAlgorithm?: string
  readonly digestAlgorithm?: string
}

/** A CPIX document with a signature before its closing tag. */
export function signedXml(xml: string, signer: Signer, options: SigningOptions = {}): string {
  const {
    ids,
    c14n = EXC_C14N,
    signatureAlgorithm = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
    digestAlgorithm = 'http://www.w3.org/2001/04/xmlenc#sha512',
  } = options
  const signing = new SignedXml({ privateKey: signer.privateKey, signatureAlgorithm, canonicalizationAlgorithm: c14n })
  if (ids === undefined) {
    signing.addReference({ xpath: '/*', transforms: [ENVELOPED, c14n], digestAlgorithm, uri: '', isEmptyUri: true })
  }
  for (const id of ids ?? []) {
    signing.addReference({ xpath: `//*[@id='${id}']`, transforms: [c14n], digestAlgorithm, uri: `#${id}` })
  }
  signing.computeSignature(xml, { location: { reference: '/*', action: 'append' } })
  const x509 = `<KeyInfo><X509Data><X509Certificate>${signer.certificate.toString('base64')}</X509Certificate></X509Data></KeyInfo>`
  const signed = signing.getSignedXml()
  const at = signed.lastIndexOf('</SignatureValue>') + '</SignatureValue>'.length
  return signed.slice(0, at) + x509 + signed.slice(at)
}

/** A document with two lists that can be signed, and clear keys. */
export function documentToSign(kids: readonly string[], contentId = 'movie'): string {
  const keys = kids.map(
    (kid) =>
      `<ContentKey kid="${kid}"><Data><pskc:Secret><pskc:PlainValue>${randomBytes(16).toString('base64')}</pskc:PlainValue></pskc:Secret></Data></ContentKey>`,
  )
  return `<CPIX contentId="${contentId}" version="2.3" xmlns="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc"><!-- made for a test --><ContentKeyList id="keys">${keys.join('')}</ContentKeyList><ContentKeyUsageRuleList id="rules"><ContentKeyUsageRule kid="${kids[0]}"/></ContentKeyUsageRuleList></CPIX>`
}
