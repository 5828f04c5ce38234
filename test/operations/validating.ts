import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { XmlDocument, XsdValidator } from 'libxml2-wasm'
import { xmlRegisterFsInputProviders } from 'libxml2-wasm/lib/nodejs.mjs'

const XSDS = fileURLToPath(new URL('../../../shared/spec/xsd/', import.meta.url))

/** For tests that need the schemas of CPIX, which are not of this repository. */
export const WITH_SCHEMAS = existsSync(XSDS) ? {} : { skip: 'the CPIX schemas are not beside the checkout' }

/** Throws unless a document is valid under a schema of CPIX, as libxml2 sees it. */
export function validate(xml: string | Uint8Array, folder: 'CPIX2.3.1' | 'CPIX2.4'): void {
  xmlRegisterFsInputProviders()
  const file = `${XSDS}${folder}/cpix.xsd`
  using schema = XmlDocument.fromBuffer(readFileSync(file), { url: file })
  using validator = XsdValidator.fromDoc(schema)
  using document = XmlDocument.fromBuffer(Buffer.from(xml))
  validator.validate(document)
}
