import type { Kid } from '../../formats/cenc.ts'
import type { ContentKeyPeriod } from '../../formats/cpix/content-key-period.ts'
import type { ContentKeyUsageRule } from '../../formats/cpix/content-key-usage-rule.ts'
import { BOOLEAN, COUNT, type FieldType } from '../../formats/cpix/fields.ts'
import type { XmlElement } from '../../formats/xml/document.ts'
import { attributeOf, pathOf } from '../../formats/xml/reader.ts'
import { SpekeError } from './error.ts'
import type { SpekePolicy } from './profile.ts'

/** The attributes of a filter, and the pairs whose first value must not exceed the second. */
interface FilterShape {
  readonly attributes: Readonly<Record<string, FieldType<unknown>>>
  readonly ranges: readonly (readonly [min: string, max: string])[]
  /** Echoed without a check, unless the policy is strict. */
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

/** The reserved track type of a key for all tracks. */
const ALL = 'ALL'
/** 1920 × 1080 pixels; video with more is UHD. */
const MAX_HD_PIXELS = 2073600
/** A limit, because the ledger stores track types. Real ones have at most 30 characters. */
const MAX_TRACK_TYPE = 256

interface EncryptionContract {
  readonly rules: readonly ContentKeyUsageRule[]
  readonly kids: readonly Kid[]
  readonly periods: readonly ContentKeyPeriod[]
}

/** Throws ERR_SPEKE_CONTRACT_MISSING for a document whose rules have no filter. */
export function rejectMissingContract(rules: readonly ContentKeyUsageRule[]): void {
  if (!rules.some(({ videoFilters, audioFilters }) => videoFilters.length + audioFilters.length > 0)) {
    throw new SpekeError('ERR_SPEKE_CONTRACT_MISSING')
  }
}

/** Throws ERR_SPEKE_CONTRACT_MALFORMED for rules that do not describe the tracks of each key. */
export function rejectMalformedContract(contract: EncryptionContract, { strictContract }: SpekePolicy): void {
  const kids = new Set(contract.kids)
  const periodIds = new Set(contract.periods.flatMap(({ id }) => id ?? []))
  for (const rule of contract.rules) rejectMalformedRule(rule, kids, periodIds, strictContract)
  rejectSharedTrackTypes(contract.rules)
  const covered = new Set(contract.rules.map(({ kid }) => kid))
  for (const kid of contract.kids)
    if (!covered.has(kid)) throw malformed(`the ContentKey ${kid} has no ContentKeyUsageRule. Add a rule for it.`)
}

/** Throws ERR_SPEKE_CONTRACT_UNSUPPORTED for one key over tracks that the policy separates. */
export function rejectUnsupportedContract({ rules, kids }: EncryptionContract, { contract }: SpekePolicy): void {
  const reject = (detail: string): never => {
    throw new SpekeError('ERR_SPEKE_CONTRACT_UNSUPPORTED', { detail })
  }
  if (contract.allKey === 'refuse' && rules.some(({ intendedTrackType }) => intendedTrackType === ALL)) {
    reject('the setting speke.contract.allKey forbids one key for all tracks.')
  }
  if (contract.audioWithUhd === 'allow') return
  const byKid = Map.groupBy(rules, ({ kid }) => kid)
  for (const kid of kids) {
    const own = byKid.get(kid)?.filter(({ intendedTrackType }) => intendedTrackType !== ALL) ?? []
    if (own.some(({ audioFilters }) => audioFilters.length > 0) && own.some(namesUhd)) {
      reject(`the key ${kid} is for audio and for UHD video. Use separate keys, or set speke.contract.audioWithUhd.`)
    }
  }
}

function rejectMalformedRule(
  rule: ContentKeyUsageRule,
  kids: ReadonlySet<Kid>,
  periodIds: ReadonlySet<string>,
  strict: boolean,
): void {
  const at = (problem: string): SpekeError => malformed(`${pathOf(rule.element)}: ${problem}`)
  if (rule.kid === undefined || !kids.has(rule.kid)) throw at('no ContentKey has this kid.')
  if (!rule.intendedTrackType) throw at('intendedTrackType is missing or empty.')
  if (rule.intendedTrackType.length > MAX_TRACK_TYPE)
    throw at(`intendedTrackType: expected at most ${MAX_TRACK_TYPE} characters.`)
  const [unknown] = rule.unknown
  if (unknown !== undefined) throw at(`${unknown.local} is not supported. Remove it.`)
  if (strict && rule.bitrateFilters.length > 0)
    throw at('BitrateFilter is not supported while speke.strictContract is set. Remove it.')
  for (const id of rule.periodIds)
    if (id === undefined || !periodIds.has(id)) throw at('no ContentKeyPeriod has this periodId.')
  for (const filter of rule.videoFilters) rejectMalformedFilter(filter, VIDEO_FILTER, strict)
  for (const filter of rule.audioFilters) rejectMalformedFilter(filter, AUDIO_FILTER, strict)

  const components = rule.intendedTrackType.split('+')
  const filters = rule.videoFilters.length + rule.audioFilters.length
  if (components.includes('')) throw at('intendedTrackType has an empty part.')
  if (components.includes(ALL)) {
    const bare = [...rule.videoFilters, ...rule.audioFilters].every((filter) => isBare(filter))
    const pair = rule.videoFilters.length === 1 && rule.audioFilters.length === 1
    if (components.length > 1 || !pair || !bare)
      throw at('the intendedTrackType ALL needs exactly one VideoFilter and one AudioFilter, both without attributes.')
  } else if (filters !== components.length && filters !== 1) {
    // The AWS presets VIDEO-7 and VIDEO-8 send one merged filter for several track types.
    throw at(
      `expected ${components.length} filters or one merged filter for ${components.length} track types, got ${filters}.`,
    )
  }
}

function rejectMalformedFilter(filter: XmlElement, shape: FilterShape, strict: boolean): void {
  const at = (problem: string): SpekeError => malformed(`${pathOf(filter)}: ${problem}`)
  // An unknown child could narrow the filter, and so the tracks of the key.
  if (filter.children.length > 0) throw at('a filter must not have child elements. Remove them.')
  const values: Record<string, unknown> = {}
  for (const { name, local, prefix, value } of filter.attributes) {
    if (name === 'xmlns' || prefix === 'xmlns') continue
    if (!strict && prefix === '' && shape.ignored.includes(local)) continue
    const type = prefix === '' && Object.hasOwn(shape.attributes, local) ? shape.attributes[local] : undefined
    if (type === undefined) throw at(`the attribute ${name} is not supported. Remove it.`)
    values[local] = type.read(value)
    if (values[local] === undefined) throw at(`${local}: expected ${type.expected}.`)
  }
  for (const [min, max] of shape.ranges) {
    if (Number(values[min] ?? 0) > Number(values[max] ?? Number.POSITIVE_INFINITY))
      throw at(`${min} is greater than ${max}.`)
  }
}

/** Within a key period, a track type occurs once, and ALL is the only one. A rule without periods applies to every period. */
function rejectSharedTrackTypes(rules: readonly ContentKeyUsageRule[]): void {
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
      throw malformed('an intendedTrackType occurs twice in one key period. Remove one of the rules.')
    }
    const count = types.length + (isEvery ? 0 : everywhere.size)
    if (count > 1 && (types.includes(ALL) || everywhere.has(ALL)))
      throw malformed('the intendedTrackType ALL occurs with others in one key period. Remove ALL or the others.')
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
