import { CPIX_NAMESPACE, SPEKE_NAMESPACE, XMLDSIG_NAMESPACE } from '../../../formats/cpix/names.ts'
import { XMLNS_NAMESPACE, type XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf } from '../../../formats/xml/reader.ts'
import type { Problem, Rule } from '../rule.ts'

/** Rules over a document as such. @see speke.md 4 */
export const DOCUMENT_RULES: readonly Rule[] = [
  {
    id: 'unreadable',
    group: 'document',
    subject: 'document',
    severity: 'error',
    clause: 'XML 1.0; Namespaces in XML 1.0; CPIX 2.3, CPIX',
    title: 'A document is well-formed XML in UTF-8 whose root is CPIX',
    why: 'No encryptor and no key provider reads it. A DOCTYPE is refused too: it is how entities attack a reader.',
    mend: 'Mend the place named; look for an unescaped & or <, an undeclared prefix, UTF-16, a DOCTYPE.',
    *check({ side }) {
      if (side.problem !== undefined) yield { what: side.problem.what }
    },
  },
  {
    id: 'content-id-changed',
    group: 'document',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (CPIX@contentId is never overridden)',
    title: 'The answer names the content of the request',
    why: 'The encryptor takes the answer for another content and stops.',
    mend: 'Echo CPIX@contentId, in SPEKE 1.0 CPIX@id, character by character.',
    *check({ request, answer }) {
      const name = request.version.contentIdAttribute
      if (attributeOf(answer.root, name) !== attributeOf(request.root, name)) {
        yield { what: `CPIX/@${name} is not that of the request`, at: answer.root, attribute: name }
      }
    },
  },
  {
    id: 'cpix-version-changed',
    group: 'document',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (CPIX@version is never overridden)',
    title: 'The answer has the CPIX version of the request',
    why: 'An encryptor that asked by CPIX 2.3 does not read 2.4, or the reverse.',
    mend: 'Echo CPIX@version; in SPEKE 1.0 there is none.',
    *check({ request, answer }) {
      if (attributeOf(answer.root, 'version') !== attributeOf(request.root, 'version')) {
        yield { what: 'CPIX/@version is not that of the request', at: answer.root, attribute: 'version' }
      }
    },
  },
  {
    id: 'v1-leftovers',
    group: 'document',
    subject: 'answer',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Changes from SPEKE 1.0 (the SPEKE namespace is deprecated)',
    title: 'Nothing of SPEKE 1.0 stands in an answer of SPEKE 2',
    why: 'MediaPackage v2 rejects an answer that so much as declares xmlns:speke (speke-reference-server issue 130).',
    mend: 'Leave out the declaration of urn:aws:amazon:com:speke, speke:KeyFormat, speke:KeyFormatVersions, speke:ProtectionHeader and URIExtXKey.',
    *check({ answer }) {
      for (const element of everyElement(answer.root)) yield* leftoversOf(element)
    },
  },
  {
    id: 'cpix-id-in-v2',
    group: 'document',
    subject: 'answer',
    majors: [2],
    severity: 'warning',
    clause: "SPEKE 2.0, Standard payload components; AWS's verification suite",
    title: 'CPIX@id is not in an answer of SPEKE 2',
    why: "AWS's verification suite fails answers that have it: it is how SPEKE 1.0 names a content.",
    mend: 'Leave CPIX@id out; CPIX@contentId names the content.',
    *check({ answer }) {
      if (attributeOf(answer.root, 'id') !== undefined) {
        yield { what: 'CPIX/@id is how SPEKE 1.0 names a content', at: answer.root, attribute: 'id' }
      }
    },
  },
  {
    id: 'signature',
    group: 'document',
    subject: 'answer',
    severity: 'warning',
    clause: 'SPEKE 2.0, Constraints (XMLDSIG is not supported)',
    title: 'An answer is not signed',
    why: 'Encryptors of AWS know no signatures in CPIX; one that was echoed from the request is broken besides.',
    mend: 'Leave ds:Signature out.',
    *check({ answer }) {
      for (const child of answer.root.children) {
        if (child.namespace === XMLDSIG_NAMESPACE && child.local === 'Signature') {
          yield { what: 'ds:Signature stands in the answer', at: child }
        }
      }
    },
  },
]

/** An element and all inside it, in document order. */
export function* everyElement(element: XmlElement): Iterable<XmlElement> {
  yield element
  for (const child of element.children) yield* everyElement(child)
}

function* leftoversOf(element: XmlElement): Iterable<Problem> {
  if (element.namespace === SPEKE_NAMESPACE) yield { what: `${element.name} is of SPEKE 1.0`, at: element }
  if (element.namespace === CPIX_NAMESPACE && element.local === 'URIExtXKey') {
    yield { what: 'URIExtXKey is of SPEKE 1.0', at: element }
  }
  for (const { namespace, name, value } of element.attributes) {
    if (namespace === XMLNS_NAMESPACE && value === SPEKE_NAMESPACE) {
      yield { what: `${name} declares the namespace of SPEKE 1.0`, at: element, attribute: name }
    }
  }
}
