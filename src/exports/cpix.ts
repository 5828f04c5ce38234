/** Exports of `keyspring/cpix`: read, explain, compare and lint CPIX documents and their keys. */

export { type ErrorCode, KeyProviderError } from '../core/errors.ts'
export {
  COMMON_ENCRYPTION_SCHEMES,
  type CommonEncryptionScheme,
  type Kid,
  type SystemId,
  toKid,
  toSystemId,
} from '../formats/cenc.ts'
export { type ContentKeyPeriod, readContentKeyPeriods } from '../formats/cpix/content-key-period.ts'
export { type ContentKeyUsageRule, readContentKeyUsageRule } from '../formats/cpix/content-key-usage-rule.ts'
export { type Recipient, readRecipients, validityProblem } from '../formats/cpix/delivery-data.ts'
export { type Cpix, entriesOf, type ListName, readCpix } from '../formats/cpix/document.ts'
export {
  createDocumentEncryption,
  type DocumentEncryption,
  type EncryptedValue,
  type OpenedEncryption,
  openDocumentEncryption,
  type WrappedKeys,
} from '../formats/cpix/encryption.ts'
export {
  CPIX_NAMESPACE,
  CpixError,
  PSKC_NAMESPACE,
  SPEKE_NAMESPACE,
  XMLDSIG_NAMESPACE,
  XMLENC_NAMESPACE,
} from '../formats/cpix/fields.ts'
export type { XmlAttribute, XmlDocument, XmlElement } from '../formats/xml/document.ts'
export { XML_LIMITS, type XmlLimits } from '../formats/xml/document.ts'
export { XmlError, type XmlPosition } from '../formats/xml/error.ts'
export { attributeOf, childOf, childrenOf, pathOf, positionOf, readXml, textOf } from '../formats/xml/reader.ts'
export type { EncryptorName } from '../protocols/speke/tables/presets.ts'
export { type CpixDiff, type Difference, diffCpix } from '../toolkit/inspect/diff.ts'
export { inspect } from '../toolkit/inspect/inspect.ts'
export type { Inspection, Kind } from '../toolkit/inspect/inspection.ts'
export type { InspectFinding, InspectNode, InspectOptions, InspectPlace } from '../toolkit/inspect/node.ts'
export type { Encoding } from '../toolkit/inspect/payload.ts'
export { type Colours, renderDiff, renderInspection } from '../toolkit/inspect/render.ts'
export type { Severity } from '../toolkit/rules/rule.ts'
export { type CpixContentKey, readCpixKeys } from './content-keys.ts'
export { type LintDocuments, type LintFinding, type LintOptions, lintCpix } from './lint.ts'
