import { CPIX_NAMESPACE, SPEKE_NAMESPACE, XMLDSIG_NAMESPACE } from '../../../formats/cpix/fields.ts'
import { XMLNS_NAMESPACE, type XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf } from '../../../formats/xml/reader.ts'
import type { Problem, Rule } from '../rule.ts'
import { isPlainCpix } from '../side.ts'

/** Rules about the document as a whole. */
export const DOCUMENT_RULES: readonly Rule[] = [
  {
    id: 'unreadable',
    group: 'document',
    subject: 'document',
    severity: 'error',
    clause: 'XML 1.0; Namespaces in XML 1.0; CPIX 2.3, CPIX',
    title: 'The document is well-formed XML with the root element CPIX',
    why: 'Encryptors and key providers cannot read the document. They also reject a DOCTYPE, because entities can attack an XML reader.',
    fix: 'Correct the place that the message names. Look for an unescaped & or <, an undeclared prefix, a wrong encoding or a DOCTYPE.',
    *check({ side }) {
      if (side.problem !== undefined) yield { what: side.problem.what }
    },
  },
  {
    id: 'plain-cpix',
    group: 'document',
    subject: 'document',
    severity: 'note',
    clause: 'SPEKE 2.0, Standard payload components (CPIX@version); SPEKE 1.0, Standard payload components (CPIX@id)',
    title: 'The document names its SPEKE version',
    why: 'Without a SPEKE version, the document is CPIX of another system. Key providers reject it on their SPEKE paths, and lint does not check the SPEKE rules.',
    fix: 'For CPIX without SPEKE, post the request to /copyProtectionData/{contentId} of Keyspring. For SPEKE 2.0, set CPIX@version to 2.3 and send `X-Speke-Version: 2.0`. For SPEKE 1.0, declare the namespace urn:aws:amazon:com:speke. `--speke` selects a version.',
    *check({ side: { view } }) {
      if (view !== undefined && isPlainCpix(view.version)) {
        yield { what: 'the document names no SPEKE version: checked as CPIX without SPEKE', at: view.root }
      }
    },
  },
  {
    id: 'content-id-changed',
    group: 'document',
    subject: 'pair',
    severity: 'error',
    clause: 'SPEKE 2.0, Standard payload components (CPIX@contentId is never overridden)',
    title: 'The answer has the content ID of the request',
    why: 'The encryptor treats the answer as one for another content and stops.',
    fix: 'Copy CPIX@contentId (SPEKE 1.0: CPIX@id) character by character.',
    *check({ request, answer }) {
      const name = request.version.contentIdAttribute
      if (attributeOf(answer.root, name) !== attributeOf(request.root, name)) {
        yield { what: `CPIX/@${name} differs from the request`, at: answer.root, attribute: name }
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
    why: 'An encryptor that sent CPIX 2.3 does not read CPIX 2.4, and the reverse.',
    fix: 'Copy CPIX@version. A SPEKE 1.0 document has no version attribute.',
    *check({ request, answer }) {
      if (attributeOf(answer.root, 'version') !== attributeOf(request.root, 'version')) {
        yield { what: 'CPIX/@version differs from the request', at: answer.root, attribute: 'version' }
      }
    },
  },
  {
    id: 'v1-leftovers',
    group: 'document',
    spekeOnly: true,
    subject: 'answer',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Changes from SPEKE 1.0 (the SPEKE namespace is deprecated)',
    title: 'A SPEKE 2 answer contains nothing of SPEKE 1.0',
    why: 'MediaPackage v2 rejects an answer that declares xmlns:speke, even if no element uses it (speke-reference-server issue 130).',
    fix: 'Remove the declaration of urn:aws:amazon:com:speke, speke:KeyFormat, speke:KeyFormatVersions, speke:ProtectionHeader and URIExtXKey.',
    *check({ answer }) {
      for (const element of everyElement(answer.root)) yield* leftoversOf(element)
    },
  },
  {
    id: 'cpix-id-in-v2',
    group: 'document',
    spekeOnly: true,
    subject: 'answer',
    majors: [2],
    severity: 'warning',
    clause: "SPEKE 2.0, Standard payload components; AWS's verification suite",
    title: 'A SPEKE 2 answer has no CPIX@id',
    why: "SPEKE 1.0 names the content with CPIX@id. AWS's verification suite rejects a SPEKE 2 answer that has the attribute.",
    fix: 'Remove CPIX@id. CPIX@contentId names the content.',
    *check({ answer }) {
      if (attributeOf(answer.root, 'id') !== undefined) {
        yield { what: 'CPIX/@id belongs to SPEKE 1.0', at: answer.root, attribute: 'id' }
      }
    },
  },
  {
    id: 'signature-invalid',
    group: 'document',
    subject: 'document',
    severity: 'error',
    clause: 'CPIX 2.3, Signature; XML Signature Syntax and Processing 1.1, 3.2',
    title: 'Every XML signature is valid',
    why: 'Someone changed the signed elements after they were signed, or a recipient cannot verify the signature. A recipient that checks signatures rejects the document.',
    fix: 'Sign the final document. Do not copy the signature of a request into its answer, because the answer has other content.',
    *check({ side: { signatures = [] } }) {
      for (const { element, problem } of signatures) {
        if (problem !== undefined) yield { what: `the signature is not valid: ${problem}`, at: element }
      }
    },
  },
  {
    id: 'signature',
    group: 'document',
    spekeOnly: true,
    subject: 'answer',
    severity: 'warning',
    clause: 'SPEKE 2.0, Constraints (XMLDSIG is not supported)',
    title: 'The answer has no XML signature',
    why: 'SPEKE does not support signatures. A signature that was copied from the request is also invalid, because the answer has other content.',
    fix: 'Remove ds:Signature.',
    *check({ answer }) {
      for (const child of answer.root.children) {
        if (child.namespace === XMLDSIG_NAMESPACE && child.local === 'Signature') {
          yield { what: 'the answer contains ds:Signature', at: child }
        }
      }
    },
  },
]

/** Yields an element and its descendants in document order. */
export function* everyElement(element: XmlElement): Iterable<XmlElement> {
  yield element
  for (const child of element.children) yield* everyElement(child)
}

function* leftoversOf(element: XmlElement): Iterable<Problem> {
  if (element.namespace === SPEKE_NAMESPACE) yield { what: `${element.name} belongs to SPEKE 1.0`, at: element }
  if (element.namespace === CPIX_NAMESPACE && element.local === 'URIExtXKey') {
    yield { what: 'URIExtXKey belongs to SPEKE 1.0', at: element }
  }
  for (const { namespace, name, value } of element.attributes) {
    if (namespace === XMLNS_NAMESPACE && value === SPEKE_NAMESPACE) {
      yield { what: `${name} declares the namespace of SPEKE 1.0`, at: element, attribute: name }
    }
  }
}
