import type { ContentKeyUsageRule } from '../../../formats/cpix/content-key-usage-rule.ts'
import { BOOLEAN, COUNT, type FieldType } from '../../../formats/cpix/fields.ts'
import { XMLNS_NAMESPACE, type XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf } from '../../../formats/xml/reader.ts'
import type { Problem, Rule } from '../rule.ts'
import type { CpixView } from '../view.ts'

const ALL = 'ALL'
/** 1920 × 1080: what lies above is UHD. */
const MAX_HD_PIXELS = 2073600

/** Rules over the encryption contract of a request. @see speke.md 6 */
export const CONTRACT_RULES: readonly Rule[] = [
  {
    id: 'contract-missing',
    group: 'contract',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (Missing CPIX encryption contract)',
    title: 'Some VideoFilter or AudioFilter says what the keys are for',
    why: 'Key providers refuse it with "Missing CPIX encryption contract".',
    mend: 'Add a ContentKeyUsageRuleList with a rule and a filter for each key.',
    *check({ request }) {
      if (!request.usageRules.some((rule) => filtersOf(rule).length > 0)) {
        yield {
          what: 'no rule has a VideoFilter or AudioFilter',
          at: request.lists.ContentKeyUsageRuleList ?? request.root,
        }
      }
    },
  },
  {
    id: 'contract-rule',
    group: 'contract',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (Malformed encryption contract)',
    title: 'Every rule names a key, a track type and key periods that there are',
    why: 'Key providers refuse it with "Malformed encryption contract".',
    mend: 'Give kid, intendedTrackType and, in a live request, KeyPeriodFilter@periodId; a rule for every key.',
    *check({ request }) {
      if (!hasContract(request)) return
      const periods = new Set(request.periods.map((element) => attributeOf(element, 'id')))
      for (const rule of request.usageRules) {
        const { element, kid, intendedTrackType, periodIds, unknown } = rule
        if (!request.keys.some((key) => kid !== undefined && key.kid === kid)) {
          yield { what: 'its kid is that of no ContentKey', at: element }
        }
        if (!intendedTrackType || intendedTrackType.split('+').includes('')) {
          yield { what: 'intendedTrackType is missing, or a part of it', at: element }
        }
        if (periodIds.some((id) => id === undefined || !periods.has(id))) {
          yield { what: 'a KeyPeriodFilter names no ContentKeyPeriod', at: element }
        }
        for (const filter of unknown) yield { what: `${filter.local} is not supported`, at: filter }
      }
      for (const { element, kid } of request.keys) {
        if (!request.usageRules.some((rule) => rule.kid === kid)) yield { what: 'no rule is for this key', at: element }
      }
    },
  },
  {
    id: 'contract-filter-count',
    group: 'contract',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (cardinality; ALL)',
    title: 'A rule has a filter for each part of its track type; ALL has one bare filter of either kind',
    why: 'Key providers refuse it with "Malformed encryption contract".',
    mend: 'SD+HD: two filters, or one merged. ALL: <AudioFilter/> and <VideoFilter/> without attributes, and no other rule.',
    *check({ request }) {
      for (const rule of hasContract(request) ? request.usageRules : []) yield* countProblems(rule)
    },
  },
  {
    id: 'contract-filter-attributes',
    group: 'contract',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (supported filters and attributes)',
    title: 'Filters have attributes that SPEKE supports, in ranges that hold something',
    why: 'Key providers refuse it with "Malformed encryption contract".',
    mend: 'VideoFilter: minPixels, maxPixels, hdr, minFps, maxFps. AudioFilter: minChannels, maxChannels. min is at most max.',
    *check({ request }) {
      for (const { videoFilters, audioFilters } of request.usageRules) {
        for (const filter of videoFilters) yield* attributeProblems(filter, VIDEO)
        for (const filter of audioFilters) yield* attributeProblems(filter, AUDIO)
      }
    },
  },
  {
    id: 'contract-track-type-twice',
    group: 'contract',
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (unique intendedTrackType)',
    title: 'A track type stands once in a key period, ALL beside no other',
    why: 'Two keys for one track: key providers refuse it with "Malformed encryption contract".',
    mend: 'Give each rule of a key period a track type of its own.',
    *check({ request }) {
      const seen = new Map<string, Set<string>>()
      for (const { element, intendedTrackType = '', periodIds } of request.usageRules) {
        for (const period of periodIds.length === 0 ? [''] : periodIds) {
          const types = seen.get(period ?? '') ?? new Set()
          seen.set(period ?? '', types)
          const clashes =
            types.has(intendedTrackType) || types.has(ALL) || (intendedTrackType === ALL && types.size > 0)
          if (clashes) yield { what: 'another rule of this key period is for the same tracks', at: element }
          types.add(intendedTrackType)
        }
      }
    },
  },
  {
    id: 'contract-audio-with-uhd',
    group: 'contract',
    subject: 'request',
    majors: [2],
    severity: 'warning',
    clause: 'SPEKE 2.0, Encryption contract (Requested CPIX encryption contract not supported)',
    title: 'No key is for audio and for UHD video',
    why: 'Key providers may refuse it: audio is decrypted in software on most devices, and its key opens UHD too.',
    mend: 'Ask for a key of its own for audio.',
    *check({ request }) {
      for (const { element, kid, intendedTrackType } of request.usageRules) {
        const own = request.usageRules.filter((rule) => rule.kid === kid && rule.intendedTrackType !== ALL)
        const isFirst = own[0]?.element === element
        if (intendedTrackType !== ALL && isFirst && own.some(isForAudio) && own.some(isForUhd)) {
          yield { what: `the key ${kid} is for audio and for UHD video`, at: element }
        }
      }
    },
  },
  {
    id: 'contract-ignored-filter',
    group: 'contract',
    subject: 'request',
    majors: [2],
    severity: 'note',
    clause: 'SPEKE 2.0, Constraints and Encryption contract (they contradict each other)',
    title: 'No rule depends on BitrateFilter or VideoFilter@wcg',
    why: 'One page of SPEKE has them ignored, another refused as "Malformed encryption contract".',
    mend: 'Tell tracks apart by pixels, hdr, frame rate and channels.',
    *check({ request }) {
      for (const { bitrateFilters, videoFilters } of request.usageRules) {
        for (const filter of bitrateFilters) yield { what: 'BitrateFilter is ignored, or refused', at: filter }
        for (const filter of videoFilters) {
          if (attributeOf(filter, 'wcg') !== undefined) {
            yield { what: '@wcg is ignored, or refused', at: filter, attribute: 'wcg' }
          }
        }
      }
    },
  },
]

interface FilterShape {
  readonly attributes: Readonly<Record<string, FieldType<unknown>>>
  readonly ranges: readonly (readonly [min: string, max: string])[]
}
const VIDEO: FilterShape = {
  attributes: { minPixels: COUNT, maxPixels: COUNT, hdr: BOOLEAN, minFps: COUNT, maxFps: COUNT, wcg: BOOLEAN },
  ranges: [
    ['minPixels', 'maxPixels'],
    ['minFps', 'maxFps'],
  ],
}
const AUDIO: FilterShape = {
  attributes: { minChannels: COUNT, maxChannels: COUNT },
  ranges: [['minChannels', 'maxChannels']],
}

function* attributeProblems(filter: XmlElement, { attributes, ranges }: FilterShape): Iterable<Problem> {
  for (const { name, local, namespace, value } of filter.attributes) {
    if (namespace === XMLNS_NAMESPACE) continue
    const type = Object.hasOwn(attributes, local) ? attributes[local] : undefined
    if (type === undefined) yield { what: `@${name} is not supported`, at: filter, attribute: name }
    else if (type.read(value) === undefined)
      yield { what: `@${local} is not ${type.expected}`, at: filter, attribute: name }
  }
  for (const [min, max] of ranges) {
    const [low, high] = [min, max].map((name) => Number(attributeOf(filter, name) ?? Number.NaN))
    if (low !== undefined && high !== undefined && low > high) yield { what: `@${min} exceeds @${max}`, at: filter }
  }
}

function* countProblems(rule: ContentKeyUsageRule): Iterable<Problem> {
  const { element, intendedTrackType = '', videoFilters, audioFilters } = rule
  const parts = intendedTrackType.split('+')
  const filters = filtersOf(rule)
  if (parts.includes(ALL)) {
    const isBare = filters.every((filter) => filter.attributes.every(({ namespace }) => namespace === XMLNS_NAMESPACE))
    const isPair = videoFilters.length === 1 && audioFilters.length === 1
    if (!isBare || !isPair || parts.length > 1) {
      yield { what: 'ALL stands alone, with one bare VideoFilter and one bare AudioFilter', at: element }
    }
  } else if (filters.length !== parts.length && filters.length !== 1) {
    yield {
      what: `${parts.length} track types need ${parts.length} filters or one merged, not ${filters.length}`,
      at: element,
    }
  }
}

function hasContract({ usageRules }: CpixView): boolean {
  return usageRules.some((rule) => filtersOf(rule).length > 0)
}

function filtersOf({ videoFilters, audioFilters }: ContentKeyUsageRule): readonly XmlElement[] {
  return [...videoFilters, ...audioFilters]
}

function isForAudio({ audioFilters }: ContentKeyUsageRule): boolean {
  return audioFilters.length > 0
}

function isForUhd({ intendedTrackType = '', videoFilters }: ContentKeyUsageRule): boolean {
  if (intendedTrackType.split('+').some((part) => part.startsWith('UHD'))) return true
  const pixels = ['minPixels', 'maxPixels']
  return videoFilters.some((filter) => pixels.some((name) => Number(attributeOf(filter, name) ?? 0) > MAX_HD_PIXELS))
}
