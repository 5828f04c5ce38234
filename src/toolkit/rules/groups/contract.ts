import type { ContentKeyUsageRule } from '../../../formats/cpix/content-key-usage-rule.ts'
import { BOOLEAN, COUNT, collapse, type FieldType } from '../../../formats/cpix/fields.ts'
import { XMLNS_NAMESPACE, type XmlElement } from '../../../formats/xml/document.ts'
import { attributeOf } from '../../../formats/xml/reader.ts'
import type { Problem, Rule } from '../rule.ts'
import type { CpixView } from '../view.ts'

const ALL = 'ALL'
/** 1920 × 1080 pixels; a larger picture is UHD. */
const MAX_HD_PIXELS = 2073600

/** Rules about the encryption contract of a SPEKE 2 request. */
export const CONTRACT_RULES: readonly Rule[] = [
  {
    id: 'contract-missing',
    group: 'contract',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (Missing CPIX encryption contract)',
    title: 'The request has an encryption contract: at least one VideoFilter or AudioFilter',
    why: 'Key providers reject the request with "Missing CPIX encryption contract".',
    fix: 'Add a ContentKeyUsageRuleList with one ContentKeyUsageRule and one filter for each key.',
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
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (Malformed encryption contract)',
    title: 'Every ContentKeyUsageRule names an existing key, a track type and existing key periods',
    why: 'Key providers reject the request with "Malformed encryption contract".',
    fix: 'Set kid and intendedTrackType, and in a live request KeyPeriodFilter@periodId. Write a rule for every key.',
    *check({ request }) {
      if (!hasContract(request)) return
      const periods = new Set(request.periods.map((element) => collapse(attributeOf(element, 'id') ?? '')))
      for (const rule of request.usageRules) {
        const { element, kid, intendedTrackType, periodIds, unknown } = rule
        if (!request.keys.some((key) => kid !== undefined && key.kid === kid)) {
          yield { what: 'no ContentKey has the kid of this rule', at: element }
        }
        if (!intendedTrackType || intendedTrackType.split('+').includes('')) {
          yield { what: 'intendedTrackType is missing or has an empty part', at: element }
        }
        if (periodIds.some((id) => id === undefined || !periods.has(id))) {
          yield { what: 'a KeyPeriodFilter names a ContentKeyPeriod that does not exist', at: element }
        }
        for (const filter of unknown) yield { what: `${filter.local} is not supported`, at: filter }
      }
      for (const { element, kid } of request.keys) {
        if (!request.usageRules.some((rule) => rule.kid === kid))
          yield { what: 'no ContentKeyUsageRule uses this key', at: element }
      }
    },
  },
  {
    id: 'contract-filter-count',
    group: 'contract',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (cardinality; ALL)',
    title:
      'A rule has one filter for each part of its track type; ALL has one bare VideoFilter and one bare AudioFilter',
    why: 'Key providers reject the request with "Malformed encryption contract".',
    fix: 'For SD+HD, write two filters or one merged filter. For ALL, write <AudioFilter/> and <VideoFilter/> without attributes, and no other rule.',
    *check({ request }) {
      for (const rule of hasContract(request) ? request.usageRules : []) yield* countProblems(rule)
    },
  },
  {
    id: 'contract-filter-attributes',
    group: 'contract',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (supported filters and attributes)',
    title: 'Filters have only attributes that SPEKE supports, and no minimum exceeds its maximum',
    why: 'Key providers reject the request with "Malformed encryption contract".',
    fix: 'Use minPixels, maxPixels, hdr, minFps and maxFps on VideoFilter, and minChannels and maxChannels on AudioFilter.',
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
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'error',
    clause: 'SPEKE 2.0, Encryption contract (unique intendedTrackType)',
    title: 'A track type occurs once in a key period, and ALL occurs alone',
    why: 'Two keys would apply to one track. Key providers reject the request with "Malformed encryption contract".',
    fix: 'Give each rule of a key period its own track type.',
    *check({ request }) {
      const seen = new Map<string, Set<string>>()
      for (const { element, intendedTrackType = '', periodIds } of request.usageRules) {
        for (const period of periodIds.length === 0 ? [''] : periodIds) {
          const types = seen.get(period ?? '') ?? new Set()
          seen.set(period ?? '', types)
          const clashes =
            types.has(intendedTrackType) || types.has(ALL) || (intendedTrackType === ALL && types.size > 0)
          if (clashes)
            yield {
              what: 'another rule of this key period has the same track type, or one of them is ALL',
              at: element,
            }
          types.add(intendedTrackType)
        }
      }
    },
  },
  {
    id: 'contract-audio-with-uhd',
    group: 'contract',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'warning',
    clause: 'SPEKE 2.0, Encryption contract (Requested CPIX encryption contract not supported)',
    title: 'No key protects both audio and UHD video',
    why: 'Most devices decrypt audio in software, so the audio key leaks more easily, and this key also decrypts UHD. Key providers may reject the request.',
    fix: 'Ask for a separate key for audio.',
    *check({ request }) {
      for (const { element, kid, intendedTrackType } of request.usageRules) {
        const own = request.usageRules.filter((rule) => rule.kid === kid && rule.intendedTrackType !== ALL)
        const isFirst = own[0]?.element === element
        if (intendedTrackType !== ALL && isFirst && own.some(isForAudio) && own.some(isForUhd)) {
          yield { what: `the key ${kid} protects both audio and UHD video`, at: element }
        }
      }
    },
  },
  {
    id: 'contract-ignored-filter',
    group: 'contract',
    spekeOnly: true,
    subject: 'request',
    majors: [2],
    severity: 'note',
    clause: 'SPEKE 2.0, Constraints and Encryption contract (they contradict each other)',
    title: 'No rule uses BitrateFilter or VideoFilter@wcg',
    why: 'One SPEKE page says that key providers ignore them, another that key providers reject them as "Malformed encryption contract".',
    fix: 'Distinguish tracks by pixels, hdr, frame rate and channels.',
    *check({ request }) {
      for (const { bitrateFilters, videoFilters } of request.usageRules) {
        for (const filter of bitrateFilters) yield { what: 'key providers ignore or reject BitrateFilter', at: filter }
        for (const filter of videoFilters) {
          if (attributeOf(filter, 'wcg') !== undefined) {
            yield { what: 'key providers ignore or reject @wcg', at: filter, attribute: 'wcg' }
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
      yield {
        what: 'ALL requires exactly one bare VideoFilter and one bare AudioFilter, and no other part',
        at: element,
      }
    }
  } else if (filters.length !== parts.length && filters.length !== 1) {
    yield {
      what: `${parts.length} track types require ${parts.length} filters or one merged filter, got ${filters.length}`,
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
