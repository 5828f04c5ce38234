import type { Kid } from '../../formats/cenc.ts'
import type { ContentKeyPeriod } from '../../formats/cpix/content-key-period.ts'
import type { ContentKeyUsageRule } from '../../formats/cpix/content-key-usage-rule.ts'
import { BOOLEAN, COUNT, type FieldType } from '../../formats/cpix/fields.ts'
import type { XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, pathOf } from '../../formats/xml/reader.ts'
import { SpekeError } from './error.ts'
import type { SpekePolicy } from './profile.ts'

/** The attributes a filter may carry, and the pairs of which the first must not exceed the second. */
interface FilterShape {
  readonly attributes: Readonly<Record<string, FieldType<unknown>>>
  readonly ranges: readonly (readonly [min: string, max: string])[]
  /** Echoed and not looked at, unless the contract is strict. @see speke.md A-07 */
  readonly ignored: readonly string[]
}

const VIDEO_FILTER: FilterShape = {
  attributes: { minPixels: COUNT, maxPixels: COUNT, hdr: BOOLEAN, minFps: COUNT, maxFps: COUNT },
  ranges: [
    ['minPixels', 'maxPixels'],
    ['minFps', 'maxFps'],
  ],
  ignored: ['wcg'],
}
const AUDIO_FILTER: FilterShape = {
  attributes: { minChannels: COUNT, maxChannels: COUNT },
  ranges: [['minChannels', 'maxChannels']],
  ignored: [],
}

/** The reserved track type: one key for every track. */
const ALL = 'ALL'
/** 1920 × 1080: what lies above is UHD. */
const MAX_HD_PIXELS = 2073600
/** The ledger keeps track types; real ones have 30 characters at most. */
const MAX_TRACK_TYPE = 256

export interface EncryptionContract {
  readonly rules: readonly ContentKeyUsageRule[]
  readonly kids: readonly Kid[]
  readonly periods: readonly ContentKeyPeriod[]
}

/** Refuses a document in which no rule names a track. @see speke.md 3, E10 */
export function refuseMissingContract(rules: readonly ContentKeyUsageRule[]): void {
  if (!rules.some(({ videoFilters, audioFilters }) => videoFilters.length + audioFilters.length > 0)) {
    throw new SpekeError('ERR_SPEKE_CONTRACT_MISSING')
  }
}

/** Refuses a contract that is not well-formed. @see speke.md 6; 3, E8 */
export function refuseMalformedContract(contract: EncryptionContract, { strictContract }: SpekePolicy): void {
  const kids = new Set(contract.kids)
  const periodIds = new Set(contract.periods.map(({ id }) => id))
  for (const rule of contract.rules) refuseMalformedRule(rule, kids, periodIds, strictContract)
  refuseSharedTrackTypes(contract.rules)
  const covered = new Set(contract.rules.map(({ kid }) => kid))
  for (const kid of contract.kids)
    if (!covered.has(kid)) throw malformed(`the ContentKey ${kid} has no ContentKeyUsageRule`)
}

/** Refuses one key over tracks that the policy keeps apart. @see speke.md 3, E9; A-27 */
export function refuseUnsupportedContract({ rules, kids }: EncryptionContract, { contract }: SpekePolicy): void {
  const refuse = (detail: string): never => {
    throw new SpekeError('ERR_SPEKE_CONTRACT_UNSUPPORTED', { detail })
  }
  if (contract.allKey === 'refuse' && rules.some(({ intendedTrackType }) => intendedTrackType === ALL)) {
    refuse('this server is configured to refuse one key for all tracks')
  }
  if (contract.audioWithUhd === 'allow') return
  const byKid = Map.groupBy(rules, ({ kid }) => kid)
  for (const kid of kids) {
    const own = byKid.get(kid)?.filter(({ intendedTrackType }) => intendedTrackType !== ALL) ?? []
    if (own.some(({ audioFilters }) => audioFilters.length > 0) && own.some(namesUhd)) {
      refuse(`the key ${kid} is for audio and for UHD video`)
    }
  }
}

function refuseMalformedRule(
  rule: ContentKeyUsageRule,
  kids: ReadonlySet<Kid>,
  periodIds: ReadonlySet<string>,
  strict: boolean,
): void {
  const at = (problem: string): SpekeError => malformed(`${pathOf(rule.element)}: ${problem}`)
  if (rule.kid === undefined || !kids.has(rule.kid)) throw at('its kid is no ContentKey')
  if (!rule.intendedTrackType) throw at('intendedTrackType is missing')
  if (rule.intendedTrackType.length > MAX_TRACK_TYPE)
    throw at(`intendedTrackType is longer than ${MAX_TRACK_TYPE} characters`)
  const [unknown] = rule.unknown
  if (unknown !== undefined) throw at(`${unknown.local} is not supported`)
  if (strict && rule.bitrateFilters.length > 0) throw at('BitrateFilter is not supported')
  for (const id of rule.periodIds)
    if (id === undefined || !periodIds.has(id)) throw at('a periodId is no ContentKeyPeriod')
  for (const filter of rule.videoFilters) refuseMalformedFilter(filter, VIDEO_FILTER, strict)
  for (const filter of rule.audioFilters) refuseMalformedFilter(filter, AUDIO_FILTER, strict)

  const components = rule.intendedTrackType.split('+')
  const filters = rule.videoFilters.length + rule.audioFilters.length
  if (components.includes('')) throw at('intendedTrackType has an empty part')
  if (components.includes(ALL)) {
    const bare = [...rule.videoFilters, ...rule.audioFilters].every((filter) => isBare(filter))
    const pair = rule.videoFilters.length === 1 && rule.audioFilters.length === 1
    if (components.length > 1 || !pair || !bare)
      throw at('ALL stands alone, with one bare VideoFilter and one bare AudioFilter')
  } else if (filters !== components.length && filters !== 1) {
    // One merged filter for several parts is what AWS's own presets 7 and 8 send (speke.md A-16).
    throw at(`${components.length} track types need ${components.length} filters or one merged filter, not ${filters}`)
  }
}

function refuseMalformedFilter(filter: XmlElement, shape: FilterShape, strict: boolean): void {
  const at = (problem: string): SpekeError => malformed(`${pathOf(filter)}: ${problem}`)
  // What stands in it would narrow the filter, and so the key, in a way nobody here knows.
  if (filter.children.length > 0) throw at('a filter has no children')
  const values: Record<string, unknown> = {}
  for (const { name, local, prefix, value } of filter.attributes) {
    if (name === 'xmlns' || prefix === 'xmlns') continue
    if (!strict && prefix === '' && shape.ignored.includes(local)) continue
    const type = prefix === '' && Object.hasOwn(shape.attributes, local) ? shape.attributes[local] : undefined
    if (type === undefined) throw at(`the attribute ${name} is not supported`)
    values[local] = type.read(value)
    if (values[local] === undefined) throw at(`${local} must be ${type.expected}`)
  }
  for (const [min, max] of shape.ranges) {
    if (Number(values[min] ?? 0) > Number(values[max] ?? Number.POSITIVE_INFINITY)) throw at(`${min} exceeds ${max}`)
  }
}

/** A track type stands once, and ALL beside no other, within a key period. A rule without periods holds in each. @see speke.md A-17 */
function refuseSharedTrackTypes(rules: readonly ContentKeyUsageRule[]): void {
  const EVERY_PERIOD = ''
  const byPeriod = new Map<string, string[]>([[EVERY_PERIOD, []]])
  for (const { intendedTrackType = '', periodIds } of rules) {
    for (const period of periodIds.length === 0 ? [EVERY_PERIOD] : new Set(periodIds)) {
      const types = byPeriod.get(period ?? EVERY_PERIOD)
      if (types === undefined) byPeriod.set(period ?? EVERY_PERIOD, [intendedTrackType])
      else types.push(intendedTrackType)
    }
  }
  const everywhere = new Set(byPeriod.get(EVERY_PERIOD))
  for (const [period, types] of byPeriod) {
    const isEvery = period === EVERY_PERIOD
    if (new Set(types).size < types.length || (!isEvery && types.some((type) => everywhere.has(type)))) {
      throw malformed('an intendedTrackType stands twice in one key period')
    }
    const count = types.length + (isEvery ? 0 : everywhere.size)
    if (count > 1 && (types.includes(ALL) || everywhere.has(ALL)))
      throw malformed('ALL stands beside another intendedTrackType')
  }
}

function namesUhd({ intendedTrackType = '', videoFilters }: ContentKeyUsageRule): boolean {
  if (intendedTrackType.split('+').some((part) => part.startsWith('UHD'))) return true
  return videoFilters.some(
    (filter) =>
      Number(attributeOf(filter, 'minPixels') ?? 0) > MAX_HD_PIXELS ||
      Number(attributeOf(filter, 'maxPixels') ?? 0) > MAX_HD_PIXELS,
  )
}

function isBare(filter: XmlElement): boolean {
  return filter.attributes.every(({ name, prefix }) => name === 'xmlns' || prefix === 'xmlns' || name === 'wcg')
}

function malformed(detail: string): SpekeError {
  return new SpekeError('ERR_SPEKE_CONTRACT_MALFORMED', { detail })
}
