import type { Kid } from '../../formats/cenc.ts'
import { readContentKeys } from '../../formats/cpix/content-key.ts'
import { readContentKeyPeriods } from '../../formats/cpix/content-key-period.ts'
import { type ContentKeyUsageRule, readContentKeyUsageRule } from '../../formats/cpix/content-key-usage-rule.ts'
import { type Cpix, entriesOf, readCpix, requiredEntries } from '../../formats/cpix/document.ts'
import { readDrmSystems } from '../../formats/cpix/drm-system.ts'
import { attributeError, elementError } from '../../formats/cpix/fields.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import type { XmlDocument } from '../../formats/xml/document.ts'
import { attributeOf } from '../../formats/xml/reader.ts'
import type { SpekePolicy } from '../speke/profile.ts'
import { describeKeys, readRecipientList, rejectTooMany, type SpekeDocument } from '../speke/request.ts'
import { type FindDrmSystem, rejectUnsupportedSystems, schemesOf } from '../speke/schemes.ts'
import { CPIX_EXCHANGE, CPIX_EXCHANGE_2_4, type SpekeVersion } from '../speke/tables/versions.ts'

/**
 * Reads a CPIX document of a content as clients exchange it beyond SPEKE: schemes, systems, rules and filters are optional.
 * Throws ERR_CPIX_INVALID for a document that cannot be filled, or that names another content.
 * @see CPIX 2.3, CPIX
 */
export function readTransferDocument(
  document: XmlDocument,
  contentId: string,
  findDrmSystem: FindDrmSystem,
  { limits }: Pick<SpekePolicy, 'limits'>,
): SpekeDocument {
  const cpix = readCpix(document)
  const version = versionOf(cpix)
  const keyElements = requiredEntries(cpix, 'ContentKeyList', 'ContentKey')
  const systemElements = entriesOf(cpix.lists.DRMSystemList, 'DRMSystem')
  const periodElements = entriesOf(cpix.lists.ContentKeyPeriodList, 'ContentKeyPeriod')
  const ruleElements = entriesOf(cpix.lists.ContentKeyUsageRuleList, 'ContentKeyUsageRule')
  rejectTooMany(keyElements, limits.contentKeys, 'content keys')
  rejectTooMany(systemElements, limits.drmSystems, 'DRM systems')
  rejectTooMany(periodElements, limits.contentKeys, 'key periods')
  refuseOtherContents(cpix, contentId)

  const keys = readContentKeys(keyElements)
  const kids = new Set(keys.map(({ kid }) => kid))
  // SPEKE 1.0 has its own ids for some systems, and a document without a version can be of SPEKE 1.0.
  const findAny: FindDrmSystem = (systemId) =>
    withTransferSchemes(findDrmSystem(systemId, 2) ?? findDrmSystem(systemId, 1))
  const schemes = schemesOf(
    version,
    keys.filter(({ commonEncryptionScheme }) => commonEncryptionScheme),
  )
  const drmSystems = rejectUnsupportedSystems(version, readDrmSystems(systemElements, kids), schemes, findAny)
  const periods = readContentKeyPeriods(periodElements)
  const rules = ruleElements.map(readContentKeyUsageRule)
  refuseUnknownReferences(rules, kids, new Set(periods.flatMap(({ id }) => id ?? [])))
  const recipients = readRecipientList(cpix, limits.recipients)
  const contentKeys = describeKeys(version, keys, schemes, drmSystems, rules, periods)
  return { version, cpix, contentId, contentKeys, drmSystems, periods, rules, recipients }
}

/** SPEKE allows Widevine only cenc and cbcs; its boxes can name every scheme of Common Encryption. */
function withTransferSchemes(system: DrmSystem | undefined): DrmSystem | undefined {
  const schemes = system?.transferSchemes
  return system === undefined || schemes === undefined ? system : { ...system, commonEncryptionSchemes: schemes }
}

/** Why the stored document has other keys or periods than `posted`; undefined if it has the same. Quotes neither document. */
export function differenceOf(posted: SpekeDocument, stored: SpekeDocument): string | undefined {
  const kidsOf = ({ contentKeys }: SpekeDocument): string =>
    contentKeys
      .map(({ kid }) => kid)
      .sort()
      .join()
  if (kidsOf(posted) !== kidsOf(stored)) return 'it has other kids'
  const schemes = new Map(stored.contentKeys.map(({ kid, scheme }) => [kid, scheme]))
  const another = posted.contentKeys.find(
    ({ kid, scheme }) => scheme !== undefined && schemes.get(kid) !== undefined && scheme !== schemes.get(kid),
  )
  if (another !== undefined) return `it has another scheme for kid ${another.kid}`
  const periodsOf = ({ periods }: SpekeDocument): string =>
    JSON.stringify(
      periods
        .map(({ id, index, start, end, duration }) => [id, index, start, end, duration].map((value) => value ?? null))
        .sort(),
    )
  return periodsOf(posted) === periodsOf(stored) ? undefined : 'it has other key periods'
}

function versionOf({ version, element }: Cpix): SpekeVersion {
  if (version === undefined || /^2\.[0-3]$/.test(version)) return CPIX_EXCHANGE
  if (version === '2.4') return CPIX_EXCHANGE_2_4
  throw attributeError(element, 'version', 'expected 2.0 to 2.4, or none')
}

function refuseOtherContents({ element, contentId: ofDocument, lists }: Cpix, contentId: string): void {
  if (ofDocument !== undefined && ofDocument !== contentId) {
    throw attributeError(element, 'contentId', 'the document names another content than its URL')
  }
  for (const key of entriesOf(lists.ContentKeyList, 'ContentKey')) {
    if ((attributeOf(key, 'contentId') ?? contentId) !== contentId) {
      throw attributeError(key, 'contentId', 'the key names another content than the URL of the document')
    }
    // Filling a root key and its leaf keys alike would allow a licence for a leaf key alone.
    if (attributeOf(key, 'dependsOnKey') !== undefined) {
      throw attributeError(key, 'dependsOnKey', 'key hierarchies are not supported')
    }
  }
}

function refuseUnknownReferences(
  rules: readonly ContentKeyUsageRule[],
  kids: ReadonlySet<Kid>,
  periodIds: ReadonlySet<string>,
): void {
  for (const { element, kid, periodIds: used } of rules) {
    if (kid === undefined || !kids.has(kid)) throw attributeError(element, 'kid', 'no ContentKey has this kid')
    if (used.some((id) => id === undefined || !periodIds.has(id))) {
      throw elementError(element, 'no ContentKeyPeriod has this periodId')
    }
  }
}
