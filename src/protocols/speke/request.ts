import { detached } from '../../core/detached.ts'
import type { CommonEncryptionScheme, ContentKeyClass, Kid } from '../../formats/cenc.ts'
import { type ContentKey, readContentKeys } from '../../formats/cpix/content-key.ts'
import { type ContentKeyPeriod, readContentKeyPeriods } from '../../formats/cpix/content-key-period.ts'
import { type ContentKeyUsageRule, readContentKeyUsageRule } from '../../formats/cpix/content-key-usage-rule.ts'
import { type Recipient, readRecipients } from '../../formats/cpix/delivery-data.ts'
import { type Cpix, entriesOf, readCpix, requiredEntries } from '../../formats/cpix/document.ts'
import { type DrmSystemRequest, readDrmSystems } from '../../formats/cpix/drm-system.ts'
import { attributeError, CpixError, elementError } from '../../formats/cpix/fields.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import type { XmlDocument, XmlElement } from '../../formats/xml/document.ts'
import { attributeOf } from '../../formats/xml/reader.ts'
import { rejectMalformedContract, rejectMissingContract, rejectUnsupportedContract } from './contract.ts'
import { SpekeError } from './error.ts'
import type { SpekePolicy } from './profile.ts'
import { type FindDrmSystem, rejectMixedSchemes, rejectUnsupportedSystems, schemesOf } from './schemes.ts'
import { SPEKE_1_0, SPEKE_2_0, SPEKE_VERSIONS, type SpekeVersion } from './tables/versions.ts'

/** A checked request: everything that an answer needs except keys. */
export interface SpekeDocument {
  readonly version: SpekeVersion
  readonly cpix: Cpix
  readonly contentId: string
  readonly contentKeys: readonly RequestedKey[]
  readonly drmSystems: readonly RequestedSystem[]
  readonly periods: readonly ContentKeyPeriod[]
  /** The usage rules. A kid override changes their kid attributes too. */
  readonly rules: readonly ContentKeyUsageRule[]
  /** The recipients that the answer is encrypted for; undefined if the request does not ask for encryption. */
  readonly recipients: readonly Recipient[] | undefined
}

export interface RequestedKey extends ContentKey {
  /** Undefined in SPEKE 1.0, where the profile decides. */
  readonly scheme: CommonEncryptionScheme | undefined
  readonly contentKeyClass: ContentKeyClass
  readonly intendedTrackTypes: readonly string[]
  /** Its key periods; empty if its rules name none. */
  readonly periods: readonly ContentKeyPeriod[]
}

export interface RequestedSystem extends DrmSystemRequest {
  readonly system: DrmSystem
}

/** Checks a document, in the order that SPEKE's error messages imply, and returns its typed view. */
export function readSpekeDocument(
  versionHeader: string | undefined,
  document: XmlDocument,
  findDrmSystem: FindDrmSystem,
  policy: SpekePolicy,
): SpekeDocument {
  const cpix = readCpix(document)
  const version = agreeOnVersion(versionHeader, cpix, policy)
  const contentId = readContentId(version, cpix)

  const keyElements = requiredEntries(cpix, 'ContentKeyList', 'ContentKey')
  const systemElements = requiredEntries(cpix, 'DRMSystemList', 'DRMSystem')
  rejectTooMany(keyElements, policy.limits.contentKeys, 'content keys')
  rejectTooMany(systemElements, policy.limits.drmSystems, 'DRM systems')
  const keys = readContentKeys(keyElements)
  const kids = keys.map(({ kid }) => kid)
  const systems = readDrmSystems(systemElements, new Set(kids))
  for (const system of systems) rejectUnsoundPlaylists(version, system)
  const periods = readPeriods(version, cpix, policy.limits.contentKeys)

  const schemes = schemesOf(version, keys)
  if (version.major === 2) rejectMixedSchemes(keys)
  const rules = entriesOf(cpix.lists.ContentKeyUsageRuleList, 'ContentKeyUsageRule').map(readContentKeyUsageRule)
  const contract = { rules, kids, periods }
  if (version.major === 2) {
    rejectMissingContract(rules)
    rejectMalformedContract(contract, policy)
  } else {
    rejectSeveralKeys(keyElements, periods)
  }
  const drmSystems = rejectUnsupportedSystems(version, systems, schemes, findDrmSystem)
  if (version.major === 2) rejectUnsupportedContract(contract, policy)
  const recipients = readRecipientList(cpix, policy.limits.recipients)

  const contentKeys = describeKeys(version, keys, schemes, drmSystems, rules, periods)
  return { version, cpix, contentId, contentKeys, drmSystems, periods, rules, recipients }
}

/**
 * The version that the X-Speke-Version header names, on every path; 1.0 without the header. Throws ERR_SPEKE_VERSION_UNSUPPORTED.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api-v2.html
 */
export function readSpekeVersion(header: string | undefined): SpekeVersion {
  const version = header === undefined ? SPEKE_1_0 : SPEKE_VERSIONS.get(header.trim())
  if (version === undefined) {
    throw new SpekeError('ERR_SPEKE_VERSION_UNSUPPORTED', {
      detail: 'X-Speke-Version: expected 1.0, 2.0 or 2.1. Set the version in the encryptor.',
    })
  }
  return version
}

/** The version of a document, which must agree with the header. */
function agreeOnVersion(
  header: string | undefined,
  cpix: Cpix,
  policy: Pick<SpekePolicy, 'missingVersionHeader'>,
): SpekeVersion {
  const named = readSpekeVersion(header)
  if (named.major === 2) {
    if (!cpix.version) throw new SpekeError('ERR_SPEKE_CPIX_VERSION_MISSING', { detail: PLAIN_CPIX })
    if (cpix.version === named.cpixVersion) return named
    throw unsupportedCpixVersion(`X-Speke-Version ${named.header} requires CPIX/@version ${named.cpixVersion}.`)
  }
  // Some encryptors of SPEKE 1.0 send contentId too.
  if (cpix.version === undefined && (cpix.contentId === undefined || cpix.id !== undefined)) return named
  if (header !== undefined && cpix.version !== undefined) {
    throw unsupportedCpixVersion('CPIX/@version: SPEKE 1.0 does not have this attribute. Send X-Speke-Version 2.0.')
  }
  if (header === undefined && policy.missingVersionHeader === 'assume-2.0') {
    return agreeOnVersion(SPEKE_2_0.header, cpix, policy)
  }
  throw new SpekeError('ERR_SPEKE_VERSION_UNSUPPORTED', {
    detail:
      cpix.version === undefined
        ? PLAIN_CPIX
        : !isVersionOfSpeke(cpix.version)
          ? 'CPIX/@version: SPEKE has 2.3 and 2.4. CPIX of another version is not SPEKE: POST it to /copyProtectionData/{contentId}.'
          : 'the document is SPEKE 2, but X-Speke-Version is missing or 1.0. Check that no proxy drops the header, or set speke.missingVersionHeader.',
  })
}

function isVersionOfSpeke(cpixVersion: string): boolean {
  return [...SPEKE_VERSIONS.values()].some((version) => version.cpixVersion === cpixVersion)
}

const PLAIN_CPIX =
  'the document has no CPIX/@version: it is CPIX, but not SPEKE. POST it to /copyProtectionData/{contentId}, or add version and X-Speke-Version.'

function unsupportedCpixVersion(detail: string): SpekeError {
  return new SpekeError('ERR_SPEKE_CPIX_VERSION_UNSUPPORTED', { detail })
}

const MAX_CONTENT_ID = 256

function readContentId(version: SpekeVersion, cpix: Cpix): string {
  const contentId = cpix[version.contentIdAttribute]
  const path = `CPIX/@${version.contentIdAttribute}`
  if (!contentId) {
    if (version.major === 2) throw new SpekeError('ERR_SPEKE_CONTENT_ID_MISSING')
    throw new CpixError(path, 'missing or empty. SPEKE 1.0 identifies the content by this attribute. Add it.')
  }
  if (contentId.length > MAX_CONTENT_ID && [...contentId].length > MAX_CONTENT_ID)
    throw new CpixError(path, `expected at most ${MAX_CONTENT_ID} characters. Use a shorter content ID.`)
  return detached(contentId)
}

/** Throws for more elements than a limit allows. */
export function rejectTooMany(elements: readonly XmlElement[], limit: number, what: string): void {
  const beyond = elements[limit]
  if (beyond !== undefined)
    throw elementError(
      beyond,
      `expected at most ${limit} ${what}, got ${elements.length}. Split the request, or raise the limit in the configuration.`,
    )
}

/** HLSSignalingData comes in pairs, one for each playlist: an encryptor needs both lines. */
function rejectUnsoundPlaylists(version: SpekeVersion, { element, hlsSignalingData }: DrmSystemRequest): void {
  if (version.major === 1 || hlsSignalingData.length === 0) return
  const known = Object.keys(version.playlists).join(', ')
  const playlists = hlsSignalingData.map(({ element: data, playlist }) => {
    const slot =
      playlist !== undefined && Object.hasOwn(version.playlists, playlist) ? version.playlists[playlist] : undefined
    if (slot === undefined) throw elementError(data, `@playlist: expected one of ${known}. Correct the attribute.`)
    return slot
  })
  if (playlists.length !== 2 || playlists[0] === playlists[1]) {
    throw elementError(
      element,
      'expected one HLSSignalingData for the media playlist and one for the master playlist. Add the missing one.',
    )
  }
}

/** Reads the key periods. A document has at most as many key periods as content keys. */
function readPeriods(version: SpekeVersion, cpix: Cpix, limit: number): readonly ContentKeyPeriod[] {
  const elements = entriesOf(cpix.lists.ContentKeyPeriodList, 'ContentKeyPeriod')
  rejectTooMany(elements, limit, 'key periods')
  const periods = readContentKeyPeriods(elements)
  for (const [i, { start, duration }] of periods.entries()) {
    const element = elements[i]
    // CPIX 2.4 allows both; SPEKE lists neither.
    if (element !== undefined && attributeOf(element, 'id') === undefined)
      throw elementError(element, 'attribute id is missing. Add it.')
    if (element !== undefined && duration !== undefined)
      throw attributeError(element, 'duration', 'SPEKE has no duration. Send end or endOffset.')
    const hasIndex = element !== undefined && attributeOf(element, 'index') !== undefined
    const bounded = hasIndex || (version.periodBounds === 'index-or-interval' && start !== undefined)
    if (bounded || version.periodBounds === 'any' || element === undefined) continue
    const expected = version.periodBounds === 'index' ? 'index' : 'index, start and end, or startOffset and endOffset'
    throw elementError(element, `expected ${expected}. Add the attributes.`)
  }
  return periods
}

/**
 * The recipients to encrypt for; undefined without a DeliveryDataList. Throws for an empty list: the sender wants encryption, so
 * an answer in the clear would disclose the keys. `readCpix` rejects misplaced recipients.
 */
export function readRecipientList(cpix: Cpix, limit: number): readonly Recipient[] | undefined {
  const list = cpix.lists.DeliveryDataList
  if (list === undefined) return undefined
  const elements = entriesOf(list, 'DeliveryData')
  if (elements.length === 0)
    throw elementError(
      list,
      'expected at least one DeliveryData. Add a recipient, or remove the list to get keys in the clear.',
    )
  rejectTooMany(elements, limit, 'recipients')
  const other = list.children.find((child) => !elements.includes(child))
  if (other !== undefined)
    throw elementError(other, 'expected only DeliveryData in the CPIX namespace. Remove this element.')
  return readRecipients(cpix.document, elements)
}

/** SPEKE 1.0 has one key per content, or one per key period. */
function rejectSeveralKeys(keys: readonly XmlElement[], periods: readonly ContentKeyPeriod[]): void {
  const beyond = keys[Math.max(1, periods.length)]
  if (beyond !== undefined)
    throw elementError(beyond, 'SPEKE 1.0 allows one content key per key period. Use SPEKE 2.0 for several keys.')
}

/** The keys of a document with their DRM systems, rules and periods. */
export function describeKeys(
  { major }: SpekeVersion,
  keys: readonly ContentKey[],
  schemes: ReadonlyMap<Kid, CommonEncryptionScheme>,
  systems: readonly RequestedSystem[],
  rules: readonly ContentKeyUsageRule[],
  periods: readonly ContentKeyPeriod[],
): readonly RequestedKey[] {
  const systemsOf = Map.groupBy(systems, ({ kid }) => kid)
  const rulesOf = Map.groupBy(rules, ({ kid }) => kid)
  const periodOf = new Map(periods.map((period) => [period.id, period]))
  return keys.map((key) => {
    const ownSystems = systemsOf.get(key.kid) ?? []
    const ownRules = rulesOf.get(key.kid) ?? []
    const periodIds = new Set(ownRules.flatMap((rule) => rule.periodIds))
    const clear = ownSystems.length > 0 && ownSystems.every(({ system }) => system.contentKeyClass === 'clear')
    return {
      ...key,
      scheme: schemes.get(key.kid),
      contentKeyClass: clear ? 'clear' : 'drm',
      // SPEKE 1.0 uses only the key periods of rules.
      intendedTrackTypes: major === 1 ? [] : ownRules.flatMap(({ intendedTrackType }) => intendedTrackType ?? []),
      periods: [...periodIds].flatMap((id) => (id === undefined ? [] : (periodOf.get(id) ?? []))),
    }
  })
}
