/** What `keyspring/cpix` exports: reading CPIX documents, their keys, what they mean and how two differ. */
export {
  COMMON_ENCRYPTION_SCHEMES,
  type CommonEncryptionScheme,
  type Kid,
  type SystemId,
  toKid,
  toSystemId,
} from '../cenc.ts'
export { type ContentKeyPeriod, readContentKeyPeriods } from '../cpix/content-key-period.ts'
export { type ContentKeyUsageRule, readContentKeyUsageRule } from '../cpix/content-key-usage-rule.ts'
export { type Recipient, readRecipients, validityProblem } from '../cpix/delivery-data.ts'
export { type Cpix, entriesOf, type ListName, readCpix } from '../cpix/document.ts'
export {
  createDocumentEncryption,
  type DocumentEncryption,
  type EncryptedValue,
  type OpenedEncryption,
  openDocumentEncryption,
  type WrappedKeys,
} from '../cpix/encryption.ts'
export { CpixError } from '../cpix/error.ts'
export { CPIX_NAMESPACE, PSKC_NAMESPACE, SPEKE_NAMESPACE, XMLDSIG_NAMESPACE, XMLENC_NAMESPACE } from '../cpix/names.ts'
export { type ErrorCode, KeyProviderError } from '../errors.ts'
export { type CpixDiff, type Difference, diffCpix } from '../inspect/diff.ts'
export { type Encoding, type Inspection, inspect, type Kind } from '../inspect/inspect.ts'
export type { Finding, InspectNode, Place } from '../inspect/node.ts'
export type { InspectOptions } from '../inspect/options.ts'
export { type Colours, renderDiff, renderInspection } from '../inspect/render.ts'
export type { Severity } from '../rules/rule.ts'
export type { Viewpoint } from '../rules/viewpoints.ts'
export type { XmlAttribute, XmlDocument, XmlElement } from '../xml/document.ts'
export { XmlError, type XmlPosition } from '../xml/error.ts'
export { XML_LIMITS, type XmlLimits } from '../xml/limits.ts'
export { attributeOf, childOf, childrenOf, pathOf, positionOf, readXml, textOf } from '../xml/reader.ts'
export { type CpixContentKey, readCpixKeys } from './content-keys.ts'
export { type LintDocuments, type LintFinding, type LintOptions, lintCpix } from './lint.ts'
