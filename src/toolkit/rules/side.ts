import type { KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { readCpix } from '../../formats/cpix/document.ts'
import { CPIX_NAMESPACE, CpixError, SPEKE_NAMESPACE } from '../../formats/cpix/fields.ts'
import { type CheckedSignature, checkSignatures } from '../../formats/cpix/signature.ts'
import { XMLNS_NAMESPACE, type XmlDocument, type XmlElement } from '../../formats/xml/document.ts'
import { XmlError } from '../../formats/xml/error.ts'
import { attributeOf, descendantOf, readXml } from '../../formats/xml/reader.ts'
import type { EncryptorName } from '../../protocols/speke/tables/presets.ts'
import {
  CPIX_EXCHANGE,
  SPEKE_1_0,
  SPEKE_2_0,
  SPEKE_VERSIONS,
  type SpekeVersion,
} from '../../protocols/speke/tables/versions.ts'
import { type CpixView, viewOf } from './view.ts'

/** A document to check: its content, or the reason why it cannot be read. */
export interface Side {
  readonly document: XmlDocument | undefined
  readonly view: CpixView | undefined
  readonly problem: { readonly what: string; readonly line: number; readonly column: number } | undefined
  /** The verified XML signatures. Absent if `withSignatures` did not verify them. */
  readonly signatures?: readonly CheckedSignature[]
}

/** Limits of the XML reader in bytes and counts. An answer may be larger than any request. */
const LIMITS = { bytes: 8 * 1024 * 1024, elements: 200_000, allAttributes: 400_000 }

interface ReadOptions {
  /** The version of the X-Speke-Version header. Default: read from the attributes of the document. */
  readonly version?: SpekeVersion | undefined
  /** The encryptor whose rules apply: any but `spec` sends SPEKE. */
  readonly as?: EncryptorName | undefined
  /** Decrypts encrypted keys. */
  readonly privateKey?: KeyObject | undefined
}

/** Reads a document for the rules. It does not throw for a bad document: `problem` then has the reason. */
export function readSide(bytes: Uint8Array, { version, as = 'spec', privateKey }: ReadOptions = {}): Side {
  try {
    const document = readXml(bytes, LIMITS)
    const { root } = document
    if (root.namespace !== CPIX_NAMESPACE || root.local !== 'CPIX') {
      const what = `the root element is ${root.name.slice(0, 64)}, expected CPIX in the namespace ${CPIX_NAMESPACE}. ${INSPECT}`
      return { document, view: undefined, problem: { what, line: 1, column: 1 } }
    }
    return { document, view: viewOf(document, version ?? spekeOf(document, as), privateKey), problem: undefined }
  } catch (error) {
    if (error instanceof XmlError) {
      const { line, column } = error
      const what = isMarkup(bytes) ? withoutPlace(error.message) : `the file is not an XML document. ${INSPECT}`
      return { document: undefined, view: undefined, problem: { what, line, column } }
    }
    if (!(error instanceof CpixError || error instanceof KeyProviderError)) throw error
    return { document: undefined, view: undefined, problem: { what: error.message, line: 1, column: 1 } }
  }
}

/** Verifies the XML signatures of a document. It does not throw: an unreadable document keeps its `problem`. */
export async function withSignatures(side: Side): Promise<Side> {
  if (side.view === undefined) return side
  try {
    return { ...side, signatures: await checkSignatures(readCpix(side.view.document)) }
  } catch (error) {
    // Other rules report what makes the document unreadable.
    if (error instanceof KeyProviderError) return side
    throw error
  }
}

const INSPECT = '`keyspring inspect` explains other files, such as MPDs, pssh boxes and PlayReady headers'

/** Whether the first character of a text in any encoding is <. */
function isMarkup(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 1024)).toString('latin1')
  return /^[\s\0\u00ef\u00bb\u00bf\u00fe\u00ff]*</.test(start)
}

function withoutPlace(message: string): string {
  return message.replace(/^line \d+, column \d+: /, '')
}

function spekeOf(document: XmlDocument, as: EncryptorName): SpekeVersion {
  const version = versionOf(document)
  return as !== 'spec' && isPlainCpix(version) ? SPEKE_2_0 : version
}

/** Whether a version is CPIX without SPEKE. */
export function isPlainCpix(version: SpekeVersion): boolean {
  return version === CPIX_EXCHANGE
}

/**
 * The version of a document according to its attributes. Only SPEKE 2 has CPIX@version 2.3 or 2.4 with CPIX@contentId, and only
 * SPEKE 1.0 declares its namespace. Other documents are CPIX without SPEKE, unless they have an encryption contract.
 */
function versionOf(document: XmlDocument): SpekeVersion {
  const { root } = document
  const cpixVersion = attributeOf(root, 'version')
  const named = [...SPEKE_VERSIONS.values()].find((one) => one.cpixVersion === cpixVersion)
  if (cpixVersion !== undefined && named !== undefined) return named
  if (cpixVersion !== undefined && !/^2\.[0-2]$/.test(cpixVersion)) return SPEKE_2_0
  const hasOnlyContentId = attributeOf(root, 'contentId') !== undefined && attributeOf(root, 'id') === undefined
  if (cpixVersion === undefined && !hasOnlyContentId && declaresSpeke(root)) return SPEKE_1_0
  return hasContract(root) ? SPEKE_2_0 : CPIX_EXCHANGE
}

function declaresSpeke({ attributes }: XmlElement): boolean {
  return attributes.some(({ namespace, value }) => namespace === XMLNS_NAMESPACE && value === SPEKE_NAMESPACE)
}

function hasContract(root: XmlElement): boolean {
  return ['VideoFilter', 'AudioFilter'].some((local) => descendantOf(root, CPIX_NAMESPACE, local) !== undefined)
}
