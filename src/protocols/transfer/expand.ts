import type { Filling } from '../../core/template.ts'
import { XMLDSIG_NAMESPACE } from '../../formats/cpix/fields.ts'
import { applyEdits } from '../../formats/xml/edits.ts'
import { type Markup, writeFragment } from '../../formats/xml/markup.ts'
import type { SpekeDocument } from '../speke/request.ts'

/** The text of a document that names these certificates (DER) as its recipients. The document names none of its own. */
export function nameRecipients({ cpix }: SpekeDocument, certificates: readonly Uint8Array[]): string {
  const prefix = prefixOf(cpix.element)
  const list = {
    name: `${prefix}DeliveryDataList`,
    children: certificates.map((one) => deliveryDataMarkup(one, prefix)),
  }
  const at = cpix.element.contentStart
  return applyEdits<Filling>(cpix.document.source, [{ start: at, end: at, replacement: writeFragment([list]) }]).text
}

/** A DeliveryData that names a recipient by its certificate (DER). `prefix` ends with a colon where CPIX has a prefix. */
export function deliveryDataMarkup(certificate: Uint8Array, prefix = ''): Markup {
  const x509 = { name: 'ds:X509Certificate', text: Buffer.from(certificate).toString('base64') }
  const data: Markup = { name: 'ds:X509Data', attributes: [['xmlns:ds', XMLDSIG_NAMESPACE]], children: [x509] }
  return { name: `${prefix}DeliveryData`, children: [{ name: `${prefix}DeliveryKey`, children: [data] }] }
}

function prefixOf({ prefix }: { readonly prefix: string }): string {
  return prefix === '' ? '' : `${prefix}:`
}
