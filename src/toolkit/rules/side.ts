import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { CpixError } from '../../formats/cpix/error.ts'
import { CPIX_NAMESPACE } from '../../formats/cpix/names.ts'
import type { XmlDocument } from '../../formats/xml/document.ts'
import { XmlError } from '../../formats/xml/error.ts'
import { attributeOf, readXml } from '../../formats/xml/reader.ts'
import { SPEKE_1_0, SPEKE_2_0, SPEKE_VERSIONS, type SpekeVersion } from '../../protocols/speke/tables/versions.ts'
import { type CpixView, viewOf } from './view.ts'

/** A document to check: its content, or the reason why it cannot be read. */
export interface Side {
  readonly document: XmlDocument | undefined
  readonly view: CpixView | undefined
  readonly problem: { readonly what: string; readonly line: number; readonly column: number } | undefined
}

/** Limits of the XML reader in bytes and counts. An answer may be larger than any request. */
const LIMITS = { bytes: 8 * 1024 * 1024, elements: 200_000, allAttributes: 400_000 }

export interface ReadOptions {
  /** The version of the X-Speke-Version header. Default: read from the attributes of the document. */
  readonly version?: SpekeVersion | undefined
  /** Decrypts encrypted keys. */
  readonly privateKey?: KeyObject | undefined
}

/** Reads a document for the rules. It does not throw for a bad document: `problem` then has the reason. */
export function readSide(bytes: Uint8Array, { version, privateKey }: ReadOptions = {}): Side {
  try {
    const document = readXml(bytes, LIMITS)
    const { root } = document
    if (root.namespace !== CPIX_NAMESPACE || root.local !== 'CPIX') {
      const what = `the root element must be CPIX in the namespace ${CPIX_NAMESPACE}`
      return { document, view: undefined, problem: { what, line: 1, column: 1 } }
    }
    return { document, view: viewOf(document, version ?? versionOf(document), privateKey), problem: undefined }
  } catch (error) {
    if (error instanceof XmlError) {
      const { line, column } = error
      return { document: undefined, view: undefined, problem: { what: withoutPlace(error.message), line, column } }
    }
    if (!(error instanceof CpixError || error instanceof KeyProviderError)) throw error
    return { document: undefined, view: undefined, problem: { what: error.message, line: 1, column: 1 } }
  }
}

function withoutPlace(message: string): string {
  return message.replace(/^line \d+, column \d+: /, '')
}

/** The SPEKE version of a document according to its attributes. */
function versionOf({ root }: XmlDocument): SpekeVersion {
  const cpixVersion = attributeOf(root, 'version')
  const named = [...SPEKE_VERSIONS.values()].find((one) => one.cpixVersion === cpixVersion)
  if (cpixVersion !== undefined && named !== undefined) return named
  return cpixVersion === undefined && attributeOf(root, 'contentId') === undefined ? SPEKE_1_0 : SPEKE_2_0
}
