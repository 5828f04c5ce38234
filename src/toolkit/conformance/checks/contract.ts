import { SPEKE_VERSIONS } from '../../../protocols/speke/tables/versions.ts'
import type { ExpectedRefusal } from '../../rules/rule.ts'
import { type Ask, changed, content, V2 } from '../asking.ts'
import { type Check, refused, type Step } from '../check.ts'

const BARE_VIDEO = '<cpix:VideoFilter/>'
const BARE_AUDIO = '<cpix:AudioFilter/>'

/** A rule: index of its key, track type and filters. */
type ContractRule = readonly [key: number | undefined, trackType: string | undefined, filters: string]

interface Contract {
  readonly name: string
  readonly rules: readonly ContractRule[]
  /** Undefined for a valid contract. */
  readonly refusal?: ExpectedRefusal
}

const MALFORMED = refused('ERR_SPEKE_CONTRACT_MALFORMED')
const MISSING = refused('ERR_SPEKE_CONTRACT_MISSING')
const UNSUPPORTED: ExpectedRefusal = { ...refused('ERR_SPEKE_CONTRACT_UNSUPPORTED'), kind: 'policy' }

const video = (attributes: string): string => `<cpix:VideoFilter ${attributes}/>`
const audio = (attributes: string): string => `<cpix:AudioFilter ${attributes}/>`

/** Contracts for two keys, or for one key if they name only one. */
const CONTRACTS: readonly Contract[] = [
  { name: 'all', rules: [[0, 'ALL', BARE_AUDIO + BARE_VIDEO]] },
  {
    name: 'video-and-audio',
    rules: [
      [0, 'VIDEO', BARE_VIDEO],
      [1, 'AUDIO', BARE_AUDIO],
    ],
  },
  {
    name: 'free-names',
    rules: [
      [0, 'my-video', BARE_VIDEO],
      [1, 'my-audio', BARE_AUDIO],
    ],
  },
  {
    name: 'two-parts-two-filters',
    rules: [
      [0, 'SD+HD', video('maxPixels="442368"') + video('minPixels="442369"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
  },
  {
    name: 'two-parts-merged-filter',
    rules: [
      [0, 'SD+HD1', video('maxPixels="921600"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
  },
  {
    name: 'three-parts',
    rules: [
      [0, 'HDR+HFR+UHD', video('hdr="true"') + video('minFps="30"') + video('minPixels="2073601"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
  },
  {
    name: 'every-video-attribute',
    rules: [
      [0, 'SD', video('minPixels="0" maxPixels="589824" hdr="false" minFps="0" maxFps="30"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
  },
  {
    name: 'hdr-as-number',
    rules: [
      [0, 'SDR', video('hdr="0"')],
      [1, 'HDR', video('hdr="1"')],
    ],
  },
  {
    name: 'channels',
    rules: [
      [0, 'STEREO_AUDIO', audio('maxChannels="2"')],
      [1, 'MULTICHANNEL_AUDIO', audio('minChannels="3" maxChannels="16"')],
    ],
  },
  {
    name: 'two-rules-for-a-key',
    rules: [
      [0, 'SD', video('maxPixels="589824"')],
      [0, 'HD', video('minPixels="589825" maxPixels="2073600"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
  },

  {
    name: 'no-filter-anywhere',
    rules: [
      [0, 'VIDEO', ''],
      [1, 'AUDIO', ''],
    ],
    refusal: MISSING,
  },
  {
    name: 'a-rule-without-filter',
    rules: [
      [0, 'VIDEO', BARE_VIDEO],
      [1, 'AUDIO', ''],
    ],
    refusal: MALFORMED,
  },
  { name: 'all-with-video-alone', rules: [[0, 'ALL', BARE_VIDEO]], refusal: MALFORMED },
  { name: 'all-with-audio-alone', rules: [[0, 'ALL', BARE_AUDIO]], refusal: MALFORMED },
  { name: 'all-with-attributes', rules: [[0, 'ALL', BARE_AUDIO + video('maxPixels="921600"')]], refusal: MALFORMED },
  { name: 'all-with-three-filters', rules: [[0, 'ALL', BARE_AUDIO + BARE_VIDEO + BARE_VIDEO]], refusal: MALFORMED },
  {
    name: 'all-beside-another',
    rules: [
      [0, 'ALL', BARE_AUDIO + BARE_VIDEO],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'all-twice',
    rules: [
      [0, 'ALL', BARE_AUDIO + BARE_VIDEO],
      [1, 'ALL', BARE_AUDIO + BARE_VIDEO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'track-type-twice',
    rules: [
      [0, 'SD', video('maxPixels="1"')],
      [1, 'SD', video('minPixels="2"')],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'two-filters-for-one-part',
    rules: [
      [0, 'SD', BARE_VIDEO + BARE_VIDEO],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'three-filters-for-two-parts',
    rules: [
      [0, 'SD+HD', BARE_VIDEO + BARE_VIDEO + BARE_VIDEO],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'label-filter',
    rules: [
      [0, 'VIDEO', `${BARE_VIDEO}<cpix:LabelFilter label="a"/>`],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'unknown-attribute',
    rules: [
      [0, 'VIDEO', video('codec="avc1"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'unknown-filter',
    rules: [
      [0, 'VIDEO', `${BARE_VIDEO}<cpix:TextFilter/>`],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'pixels-that-are-no-number',
    rules: [
      [0, 'VIDEO', video('maxPixels="HD"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'min-above-max',
    rules: [
      [0, 'VIDEO', video('minPixels="9" maxPixels="8"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'no-track-type',
    rules: [
      [0, undefined, BARE_VIDEO],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'empty-part',
    rules: [
      [0, 'SD+', BARE_VIDEO + BARE_VIDEO],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'no-kid',
    rules: [
      [undefined, 'VIDEO', BARE_VIDEO],
      [0, 'SD', video('maxPixels="1"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'unknown-kid',
    rules: [
      [9, 'VIDEO', BARE_VIDEO],
      [0, 'SD', video('maxPixels="1"')],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  { name: 'key-without-rule', rules: [[0, 'VIDEO', BARE_VIDEO]], refusal: MALFORMED },
  {
    name: 'unknown-period',
    rules: [
      [0, 'VIDEO', `<cpix:KeyPeriodFilter periodId="none"/>${BARE_VIDEO}`],
      [1, 'AUDIO', BARE_AUDIO],
    ],
    refusal: MALFORMED,
  },
  {
    name: 'audio-with-uhd',
    rules: [
      [0, 'AUDIO+UHD', BARE_AUDIO + video('minPixels="2073601"')],
      [1, 'SD', video('maxPixels="589824"')],
    ],
    refusal: UNSUPPORTED,
  },
]

const STRANGER = '5a1ab1e0-0000-4000-8000-000000000009'

/** Checks of valid and invalid contracts in SPEKE 2.0 and 2.1. */
export function contractChecks(ask: Ask): readonly Check[] {
  return V2.flatMap((speke) =>
    CONTRACTS.flatMap(({ name, rules, refusal }): readonly Check[] => {
      const isShared = rules.every(([key]) => key === 0) && rules[0]?.[1] === 'ALL'
      const built = ask({ speke, periods: 0, content: 'contract', ...(isShared && { video: 'SHARED' }) })
      if (built === undefined) return []
      const kidOf = (key: number): string => built.keys[key]?.kid ?? STRANGER
      const markup = rules.map(([key, trackType, filters]) => {
        const kid = key === undefined ? '' : ` kid="${kidOf(key)}"`
        const type = trackType === undefined ? '' : ` intendedTrackType="${trackType}"`
        return `<cpix:ContentKeyUsageRule${kid}${type}>${filters}</cpix:ContentKeyUsageRule>`
      })
      const step: Step = {
        xml: changed(built.xml, content('ContentKeyUsageRuleList', markup.join(''))),
        version: SPEKE_VERSIONS.get(speke) ?? built.version,
        ...(refusal !== undefined && { refusal }),
      }
      const words = name.replaceAll('-', ' ')
      const title =
        refusal === undefined ? `returns the contract "${words}" unchanged` : `rejects the contract "${words}"`
      return [{ name: `contract/${speke}/${name}`, group: 'contract', title, steps: [step] }]
    }),
  )
}
