import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ErrorCode } from '../../../src/core/errors.ts'
import type { SpekePolicy } from '../../../src/protocols/speke/profile.ts'
import { answering, refusalOf } from './answering.ts'
import { ALL_RULE, KID, KID_2, KIDS, type Parts, requestFor, rule } from './documents.ts'

const E8: ErrorCode = 'ERR_SPEKE_CONTRACT_MALFORMED'
const E9: ErrorCode = 'ERR_SPEKE_CONTRACT_UNSUPPORTED'
const E10: ErrorCode = 'ERR_SPEKE_CONTRACT_MISSING'
type Verdict = 'answered' | ErrorCode

const V = '<cpix:VideoFilter/>'
const A = '<cpix:AudioFilter/>'
const B = '<cpix:BitrateFilter minBitrate="1"/>'
const video = (attributes: string): string => `<cpix:VideoFilter ${attributes}/>`
const audio = (attributes: string): string => `<cpix:AudioFilter ${attributes}/>`
const pixels = (min?: number, max?: number): string =>
  video([min && `minPixels="${min}"`, max && `maxPixels="${max}"`].filter(Boolean).join(' '))
const bare = (kid: string, attributes: string, filters: string): string =>
  `<cpix:ContentKeyUsageRule${kid === '' ? '' : ` kid="${kid}"`}${attributes}>${filters}</cpix:ContentKeyUsageRule>`

async function verdictOn(kids: readonly string[], changed: Parts, policy: Partial<SpekePolicy> = {}): Promise<Verdict> {
  const outcome = answering({ policy })('2.0', requestFor({ kids }, changed))
  return outcome.then(
    ({ xml }) => {
      assert.ok(changed.rules !== undefined && xml.includes(changed.rules), 'the contract is returned as it came')
      return 'answered'
    },
    async () => (await refusalOf(outcome)).code as ErrorCode,
  )
}

function table(title: string, rows: readonly (readonly [string, readonly string[], string, Verdict])[]): void {
  describe(title, () => {
    for (const [what, kids, rules, verdict] of rows) {
      test(`${what}: ${verdict}`, async () => assert.equal(await verdictOn(kids, { rules }), verdict))
    }
  })
}

const one = [KID]
const two = [KID, KID_2]

table('the verdicts of speke.md 6', [
  ['no rule list', one, '', E10],
  ['an empty rule list', one, ' ', E10],
  ['no filter in the whole document', two, rule(KID, 'VIDEO', '') + rule(KID_2, 'AUDIO', ''), E10],
  ['nothing but a BitrateFilter (A-07)', one, rule(KID, 'VIDEO', B), E10],
  ['ALL with both bare filters, alone', one, ALL_RULE(KID), 'answered'],
  ['ALL with the filters in the other order', one, rule(KID, 'ALL', V + A), 'answered'],
  ['ALL with a VideoFilter only', one, rule(KID, 'ALL', V), E8],
  ['ALL with an AudioFilter only', one, rule(KID, 'ALL', A), E8],
  ['ALL with two VideoFilters', one, rule(KID, 'ALL', V + V), E8],
  ['ALL with a filter too many', one, rule(KID, 'ALL', V + V + A), E8],
  ['ALL with an attribute on the video', one, rule(KID, 'ALL', pixels(1) + A), E8],
  ['ALL with an attribute on the audio', one, rule(KID, 'ALL', V + audio('maxChannels="2"')), E8],
  ['ALL with a BitrateFilter, which is not counted', one, rule(KID, 'ALL', A + V + B), 'answered'],
  ['ALL with @wcg, which is not looked at', one, rule(KID, 'ALL', A + video('wcg="true"')), 'answered'],
  ['ALL beside another rule', two, ALL_RULE(KID) + rule(KID_2, 'VIDEO', V), E8],
  ['ALL behind another rule', two, rule(KID, 'VIDEO', V) + ALL_RULE(KID_2), E8],
  ['ALL twice', two, ALL_RULE(KID) + ALL_RULE(KID_2), E8],
  ['ALL twice for one key', one, ALL_RULE(KID) + ALL_RULE(KID), E8],
  ['ALL as one part of several', one, rule(KID, 'ALL+SD', A + V), E8],
  ['ALL in small letters is a name like any other', one, rule(KID, 'all', V), 'answered'],
  ['one track type in two rules', two, rule(KID, 'VIDEO', V) + rule(KID_2, 'VIDEO', A), E8],
  ['one part, one VideoFilter', one, rule(KID, 'VIDEO', V), 'answered'],
  ['one part, one AudioFilter', one, rule(KID, 'SPEECH', A), 'answered'],
  ['one part, two filters', one, rule(KID, 'VIDEO', V + V), E8],
  ['one part, a VideoFilter and an AudioFilter', one, rule(KID, 'VIDEO', V + A), E8],
  ['two parts, two filters (example 8)', one, rule(KID, 'SD+HD', pixels(0, 442368) + pixels(442369)), 'answered'],
  ['three parts, three filters', one, rule(KID, 'HDR+HFR+UHD', V + V + V), 'answered'],
  ['two parts, one merged filter (A-16)', one, rule(KID, 'SD+HD1', pixels(undefined, 921600)), 'answered'],
  ['four parts, one merged filter', one, rule(KID, 'A+B+C+D', V), 'answered'],
  ['three parts, two filters', one, rule(KID, 'HDR+HFR+UHD', V + V), E8],
  ['two parts, three filters', one, rule(KID, 'SD+HD', V + V + V), E8],
  ['two parts, no filter, others have one', two, rule(KID, 'SD+HD', '') + rule(KID_2, 'AUDIO', A), E8],
  ['a rule without filter while others have one', two, rule(KID, 'VIDEO', V) + rule(KID_2, 'AUDIO', ''), E8],
  ['a rule with a BitrateFilter only while others have one', two, rule(KID, 'VIDEO', V) + rule(KID_2, 'AUDIO', B), E8],
  ['LabelFilter', one, rule(KID, 'VIDEO', `${V}<cpix:LabelFilter label="x"/>`), E8],
  ['a filter nobody knows', one, rule(KID, 'VIDEO', `${V}<cpix:WeatherFilter/>`), E8],
  ['a child of another namespace', one, rule(KID, 'VIDEO', `${V}<x:VideoFilter xmlns:x="urn:x"/>`), E8],
  ['a child of no namespace', one, rule(KID, 'VIDEO', `${V}<VideoFilter/>`), E8],
  ['a filter with a child', one, rule(KID, 'VIDEO', `<cpix:VideoFilter>${A}</cpix:VideoFilter>`), E8],
  ['a child named as a property of objects', one, rule(KID, 'VIDEO', `${V}<cpix:constructor/>`), E8],
  ['a rule without kid', one, bare('', ' intendedTrackType="ALL"', A + V), E8],
  ['a rule without track type', one, bare(KID, '', V), E8],
  ['a rule with an empty track type', one, rule(KID, '', V), E8],
  ['a rule with an empty part', one, rule(KID, 'SD++HD', V + V + V), E8],
  ['a rule that ends in +', one, rule(KID, 'SD+', V), E8],
  ['a track type of 257 characters', one, rule(KID, 'x'.repeat(257), V), E8],
  ['a kid that is no UUID', one, rule('kid', 'VIDEO', V), E8],
  ['a kid that is no ContentKey', one, rule(KID, 'VIDEO', V) + rule(KID_2, 'AUDIO', A), E8],
  ['a key without a rule', two, rule(KID, 'VIDEO', V), E8],
  ['several rules for one key (A-30)', one, rule(KID, 'SD', V) + rule(KID, 'HD', V), 'answered'],
  ['a kid in other letters', one, rule(KID.toUpperCase(), 'VIDEO', V), 'answered'],
  ['audio and video in one rule (AUDIO+SD)', one, rule(KID, 'AUDIO+SD', A + V), 'answered'],
])

table('the attributes of filters', [
  ['minPixels and maxPixels', one, rule(KID, 'SD', pixels(1, 2)), 'answered'],
  ['equal bounds', one, rule(KID, 'SD', pixels(5, 5)), 'answered'],
  ['minPixels above maxPixels', one, rule(KID, 'SD', pixels(589825, 589824)), E8],
  ['minFps above maxFps', one, rule(KID, 'SD', video('minFps="60" maxFps="30"')), E8],
  ['minChannels above maxChannels', one, rule(KID, 'AUDIO', audio('minChannels="3" maxChannels="2"')), E8],
  ['one bound only', one, rule(KID, 'SD', video('minFps="30"')), 'answered'],
  ['a bound of 64 bits', one, rule(KID, 'SD', video('maxPixels="18446744073709551615"')), 'answered'],
  ['bounds compared as numbers', one, rule(KID, 'SD', video('minPixels="9" maxPixels="10"')), 'answered'],
  ['hdr true', one, rule(KID, 'HDR', video('hdr="true"')), 'answered'],
  ['hdr false', one, rule(KID, 'SDR', video('hdr="false"')), 'answered'],
  ['hdr 1', one, rule(KID, 'HDR', video('hdr="1"')), 'answered'],
  ['hdr 0', one, rule(KID, 'SDR', video('hdr="0"')), 'answered'],
  ['hdr yes', one, rule(KID, 'HDR', video('hdr="yes"')), E8],
  ['hdr empty', one, rule(KID, 'HDR', video('hdr=""')), E8],
  ['hdr constructor', one, rule(KID, 'HDR', video('hdr="constructor"')), E8],
  ['hdr __proto__', one, rule(KID, 'HDR', video('hdr="__proto__"')), E8],
  ['pixels that are no number', one, rule(KID, 'SD', video('maxPixels="HD"')), E8],
  ['pixels with a fraction', one, rule(KID, 'SD', video('maxPixels="1.5"')), E8],
  ['pixels below zero', one, rule(KID, 'SD', video('minPixels="-1"')), E8],
  ['empty pixels', one, rule(KID, 'SD', video('minPixels=""')), E8],
  ['channels on a VideoFilter', one, rule(KID, 'SD', video('minChannels="2"')), E8],
  ['pixels on an AudioFilter', one, rule(KID, 'AUDIO', audio('minPixels="2"')), E8],
  ['an attribute nobody knows', one, rule(KID, 'SD', video('codec="avc1"')), E8],
  ['an attribute of another case', one, rule(KID, 'SD', video('minpixels="1"')), E8],
  ['an attribute of another namespace', one, rule(KID, 'SD', video('xmlns:x="urn:x" x:minPixels="1"')), E8],
  ['an attribute named as a property of objects', one, rule(KID, 'SD', video('constructor="1"')), E8],
  ['an attribute named __proto__', one, rule(KID, 'SD', video('__proto__="1"')), E8],
  ['a namespace declared on a filter', one, rule(KID, 'SD', video('xmlns:x="urn:x"')), 'answered'],
  ['a namespace declared on the filters of ALL', one, rule(KID, 'ALL', A + video('xmlns:x="urn:x"')), 'answered'],
  ['@wcg, ignored', one, rule(KID, 'SD', video('wcg="perhaps"')), 'answered'],
  ['@wcg on an AudioFilter', one, rule(KID, 'AUDIO', audio('wcg="true"')), E8],
  ['a BitrateFilter, ignored', one, rule(KID, 'SD', V + B), 'answered'],
  [
    'a BitrateFilter with its bounds swapped, ignored',
    one,
    rule(KID, 'SD', `${V}<cpix:BitrateFilter x="y"/>`),
    'answered',
  ],
  ['an attribute of the rule that nobody knows', one, bare(KID, ' intendedTrackType="SD" note="x"', V), 'answered'],
])

describe('with strictContract (A-07)', () => {
  for (const [what, rules, verdict] of [
    ['a BitrateFilter', rule(KID, 'SD', V + B), E8],
    ['@wcg', rule(KID, 'SD', video('wcg="true"')), E8],
    ['@wcg in ALL', rule(KID, 'ALL', A + video('wcg="true"')), E8],
    ['ALL', ALL_RULE(KID), 'answered'],
    ['a merged filter', rule(KID, 'SD+HD1', V), 'answered'],
  ] as const) {
    test(`${what}: ${verdict}`, async () => {
      assert.equal(await verdictOn(one, { rules }, { strictContract: true }), verdict)
    })
  }
})

/** speke.md 6, "Presets": `n–m` are pixels or channels, both ends may be open. */
const PRESETS: Readonly<Record<string, readonly string[]>> = {
  'VIDEO-1': ['VIDEO:-'],
  'VIDEO-2': ['SD:-589824', 'HD:589825-'],
  'VIDEO-3': ['SD:-589824', 'HD:589825-2073600', 'UHD:2073601-'],
  'VIDEO-4': ['SD:-589824', 'HD:589825-2073600', 'UHD1:2073601-8847360', 'UHD2:8847361-'],
  'VIDEO-5': ['SD:-589824', 'HD1:589825-921600', 'HD2:921601-2073600', 'UHD1:2073601-8847360', 'UHD2:8847361-'],
  'VIDEO-6': ['SD:-589824', 'HD1:589825-921600', 'HD2:921601-2073600', 'UHD:2073601-'],
  'VIDEO-7': ['SD+HD1:-921600', 'HD2:921601-2073600', 'UHD:2073601-'],
  'VIDEO-8': ['SD+HD1:-921600', 'HD2:921601-2073600', 'UHD1:2073601-8847360', 'UHD2:8847361-'],
  'AUDIO-1': ['AUDIO:-'],
  'AUDIO-2': ['STEREO_AUDIO:-2', 'MULTICHANNEL_AUDIO:3-'],
  'AUDIO-3': ['STEREO_AUDIO:-2', 'MULTICHANNEL_AUDIO_3_6:3-6', 'MULTICHANNEL_AUDIO_7:7-'],
  UNENCRYPTED: [],
}

function presetRule(kid: string, text: string): string {
  const [trackType = '', min = '', max = ''] = text.split(/[:-]/)
  const [filter, unit] = trackType.includes('AUDIO') ? ['AudioFilter', 'Channels'] : ['VideoFilter', 'Pixels']
  const bound = (name: string, value: string): string => (value === '' ? '' : ` ${name}${unit}="${value}"`)
  return rule(kid, trackType, `<cpix:${filter}${bound('min', min)}${bound('max', max)}/>`)
}

describe('the presets of AWS encryptors', () => {
  const videos = Object.keys(PRESETS).filter((name) => !name.startsWith('AUDIO'))
  const audios = Object.keys(PRESETS).filter((name) => !name.startsWith('VIDEO'))
  for (const [videoPreset, audioPreset] of videos.flatMap((v) => audios.map((a) => [v, a] as const))) {
    const tracks = [...(PRESETS[videoPreset] ?? []), ...(PRESETS[audioPreset] ?? [])]
    if (tracks.length === 0) continue
    test(`${videoPreset} with ${audioPreset} gets its ${tracks.length} keys`, async () => {
      const kids = KIDS.slice(0, tracks.length)
      const rules = tracks.map((track, i) => presetRule(kids[i] ?? '', track)).join('')
      const { issued, records } = await answering()('2.0', requestFor({ kids }, { rules }))
      assert.deepEqual(
        issued.map(({ kid }) => kid),
        kids,
      )
      assert.deepEqual(
        records.flatMap(({ keys }) => keys.flatMap(({ intendedTrackTypes }) => intendedTrackTypes)),
        tracks.map((track) => track.split(':')[0]),
      )
    })
  }

  test('SHARED gets one key for everything', async () => {
    assert.equal(await verdictOn(one, { rules: ALL_RULE(KID) }), 'answered')
  })

  for (const preset of ['VIDEO-7', 'VIDEO-8']) {
    test(`${preset} with two filters for SD+HD1 is the same contract`, async () => {
      const tracks = PRESETS[preset] ?? []
      const kids = KIDS.slice(0, tracks.length)
      const [, ...others] = tracks.map((track, i) => presetRule(kids[i] ?? '', track))
      const first = rule(KID, 'SD+HD1', pixels(undefined, 589824) + pixels(589825, 921600))
      assert.equal(await verdictOn(kids, { rules: first + others.join('') }), 'answered')
    })
  }
})

describe('key periods', () => {
  const periods = '<cpix:ContentKeyPeriod id="p1" index="1"/><cpix:ContentKeyPeriod id="p2" index="2"/>'
  const inPeriod = (kid: string, trackType: string, ids: readonly string[], filters: string): string =>
    rule(kid, trackType, ids.map((id) => `<cpix:KeyPeriodFilter periodId="${id}"/>`).join('') + filters)
  const ROWS: readonly (readonly [string, string, Verdict])[] = [
    [
      'one track type in two periods (A-17)',
      inPeriod(KID, 'VIDEO', ['p1'], V) + inPeriod(KID_2, 'VIDEO', ['p2'], V),
      'answered',
    ],
    ['one track type twice in one period', inPeriod(KID, 'VIDEO', ['p1'], V) + inPeriod(KID_2, 'VIDEO', ['p1'], V), E8],
    [
      'one track type twice where periods overlap',
      inPeriod(KID, 'VIDEO', ['p1', 'p2'], V) + inPeriod(KID_2, 'VIDEO', ['p2'], V),
      E8,
    ],
    ['a rule for every period beside one for one', rule(KID, 'VIDEO', V) + inPeriod(KID_2, 'VIDEO', ['p2'], V), E8],
    [
      'ALL in each of two periods',
      inPeriod(KID, 'ALL', ['p1'], A + V) + inPeriod(KID_2, 'ALL', ['p2'], A + V),
      'answered',
    ],
    ['ALL twice in one period', inPeriod(KID, 'ALL', ['p1'], A + V) + inPeriod(KID_2, 'ALL', ['p1'], A + V), E8],
    [
      'ALL in one period, VIDEO in the other',
      inPeriod(KID, 'ALL', ['p1'], A + V) + inPeriod(KID_2, 'VIDEO', ['p2'], V),
      'answered',
    ],
    ['ALL and VIDEO in one period', inPeriod(KID, 'ALL', ['p1'], A + V) + inPeriod(KID_2, 'VIDEO', ['p1'], V), E8],
    ['ALL for every period and VIDEO for one', rule(KID, 'ALL', A + V) + inPeriod(KID_2, 'VIDEO', ['p1'], V), E8],
    [
      'the same period named twice in one rule',
      inPeriod(KID, 'VIDEO', ['p1', 'p1'], V) + inPeriod(KID_2, 'AUDIO', ['p1'], A),
      'answered',
    ],
    ['a period that is not there', inPeriod(KID, 'VIDEO', ['p3'], V) + rule(KID_2, 'AUDIO', A), E8],
    ['a period named in other letters', inPeriod(KID, 'VIDEO', ['P1'], V) + rule(KID_2, 'AUDIO', A), E8],
    [
      'a KeyPeriodFilter without periodId',
      rule(KID, 'VIDEO', `<cpix:KeyPeriodFilter/>${V}`) + rule(KID_2, 'AUDIO', A),
      E8,
    ],
    ['a period named as a property of objects', inPeriod(KID, 'VIDEO', ['__proto__'], V) + rule(KID_2, 'AUDIO', A), E8],
  ]
  for (const [what, rules, verdict] of ROWS) {
    test(`${what}: ${verdict}`, async () => assert.equal(await verdictOn(two, { rules, periods }), verdict))
  }

  test('the ledger has one record for each, with its keys', async () => {
    const rules = inPeriod(KID, 'VIDEO', ['p1'], V) + inPeriod(KID_2, 'VIDEO', ['p2'], V)
    const { records } = await answering()('2.0', requestFor({ kids: two }, { rules, periods }))
    assert.deepEqual(
      records.map(({ periodId, periodIndex, keys }) => [periodId, periodIndex, keys.map(({ kid }) => kid)]),
      [
        ['p1', 1, [KID]],
        ['p2', 2, [KID_2]],
      ],
    )
  })
})

describe('one key over tracks of different worth (E9, A-27)', () => {
  const uhd = pixels(2073601)
  const CONTRACTS = {
    ALL: ALL_RULE(KID),
    'AUDIO+UHD': rule(KID, 'AUDIO+UHD', A + V),
    'AUDIO+UHD1': rule(KID, 'AUDIO+UHD1', A + V),
    'names that say nothing, pixels above 1080p': rule(KID, 'a+b', A + uhd),
    'a ceiling above 1080p': rule(KID, 'a+b', A + pixels(undefined, 8847360)),
    'two rules of one key': rule(KID, 'AUDIO', A) + rule(KID, 'UHD', uhd),
    'AUDIO+SD': rule(KID, 'AUDIO+SD', A + pixels(undefined, 589824)),
    'AUDIO+HD': rule(KID, 'AUDIO+HD', A + pixels(589825, 2073600)),
    UHD: rule(KID, 'UHD', uhd),
    AUDIO: rule(KID, 'AUDIO', A),
  } as const
  const MATRIX: readonly (readonly [SpekePolicy['contract'], readonly (keyof typeof CONTRACTS)[]])[] = [
    [{ allKey: 'allow', audioWithUhd: 'allow' }, []],
    [{ allKey: 'refuse', audioWithUhd: 'allow' }, ['ALL']],
    [
      { allKey: 'allow', audioWithUhd: 'refuse' },
      [
        'AUDIO+UHD',
        'AUDIO+UHD1',
        'names that say nothing, pixels above 1080p',
        'a ceiling above 1080p',
        'two rules of one key',
      ],
    ],
    [
      { allKey: 'refuse', audioWithUhd: 'refuse' },
      [
        'ALL',
        'AUDIO+UHD',
        'AUDIO+UHD1',
        'names that say nothing, pixels above 1080p',
        'a ceiling above 1080p',
        'two rules of one key',
      ],
    ],
  ]
  for (const [contract, refused] of MATRIX) {
    for (const [what, rules] of Object.entries(CONTRACTS)) {
      const verdict = (refused as readonly string[]).includes(what) ? E9 : 'answered'
      test(`${what} where ${JSON.stringify(contract)}: ${verdict}`, async () => {
        assert.equal(await verdictOn(one, { rules }, { contract }), verdict)
      })
    }
  }

  test('a key that is for all in one period may be for UHD in another', async () => {
    const inPeriod = (id: string, filters: string): string => `<cpix:KeyPeriodFilter periodId="${id}"/>${filters}`
    const parts = {
      periods: '<cpix:ContentKeyPeriod id="p1" index="1"/><cpix:ContentKeyPeriod id="p2" index="2"/>',
      rules: rule(KID, 'ALL', inPeriod('p1', A + V)) + rule(KID, 'UHD', inPeriod('p2', V)),
    }
    assert.equal(await verdictOn(one, parts), 'answered')
  })

  test('by default one key for all is answered, and one for audio and UHD is not', async () => {
    assert.equal(await verdictOn(one, { rules: CONTRACTS.ALL }), 'answered')
    assert.equal(await verdictOn(one, { rules: CONTRACTS['AUDIO+UHD'] }), E9)
  })
})

describe('SPEKE 1.0 looks at no contract', () => {
  const v1 = (rules: string) => answering()(undefined, requestFor({}, { root: 'id="movie"', rules }))
  for (const [what, rules] of [
    ['no rules', ''],
    ['a rule without track type and filters', bare(KID, '', '')],
    ['a rule for another kid', rule(KID_2, 'ALL', '')],
    ['ALL twice', ALL_RULE(KID) + ALL_RULE(KID)],
    ['LabelFilter', rule(KID, 'VIDEO', '<cpix:LabelFilter/>')],
    ['a period that is not there', rule(KID, 'VIDEO', '<cpix:KeyPeriodFilter periodId="nowhere"/>')],
  ] as const) {
    test(`${what} is echoed`, async () => assert.ok((await v1(rules)).xml.includes(rules)))
  }

  test('a track type there is not taken for one in the ledger', async () => {
    assert.deepEqual((await v1(rule(KID, 'x'.repeat(300), ''))).records[0]?.keys[0]?.intendedTrackTypes, [])
  })

  test('several keys are refused, since it has one for a key period', async () => {
    const parts = { root: 'id="movie"', rules: '' }
    const { code, message } = await refusalOf(answering()(undefined, requestFor({ kids: two }, parts)))
    assert.equal(code, 'ERR_CPIX_INVALID')
    assert.match(message, /CPIX\/ContentKeyList\/ContentKey\[2\]: /)
  })
})
