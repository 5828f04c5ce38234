import { AUDIO_PRESETS, VIDEO_PRESETS } from '../../../protocols/speke/tables/presets.ts'
import { type Ask, type Asked, attributes, changed, twice, V2, without } from '../asking.ts'
import { type Check, type CheckGroup, refused } from '../check.ts'

/** The choices of presets that encryptors offer. */
const CHOICES: readonly { readonly video: string; readonly audio: string }[] = [
  ...Object.keys(VIDEO_PRESETS).flatMap((video) => Object.keys(AUDIO_PRESETS).map((audio) => ({ video, audio }))),
  { video: 'SHARED', audio: 'SHARED' },
  { video: 'VIDEO-3', audio: 'UNENCRYPTED' },
  { video: 'UNENCRYPTED', audio: 'AUDIO-2' },
]

interface Kind extends Pick<Asked, 'speke' | 'periods' | 'timing' | 'vodTimes'> {
  readonly group: CheckGroup
  readonly path: string
  readonly title: string
}

const PRESET_KINDS: readonly Kind[] = [
  { group: 'v2.0-live', path: 'v2.0-live', speke: '2.0', periods: 1, title: 'SPEKE 2.0, live' },
  { group: 'v2.0-vod', path: 'v2.0-vod', speke: '2.0', periods: 0, title: 'SPEKE 2.0, VOD' },
  {
    group: 'v2.1',
    path: 'v2.1/live',
    speke: '2.1',
    periods: 1,
    timing: 'INDEX_WITH_START_END',
    title: 'SPEKE 2.1, live with times',
  },
]

const PERIOD_KINDS: readonly (Kind & { readonly how: string })[] = [
  {
    group: 'v2.0-live',
    path: 'v2.0-live',
    how: 'three',
    speke: '2.0',
    periods: 3,
    title: 'three key periods in one request',
  },
  {
    group: 'v2.1',
    path: 'v2.1',
    how: 'index',
    speke: '2.1',
    periods: 1,
    timing: 'INDEX_ONLY',
    title: 'a key period with only an index',
  },
  {
    group: 'v2.1',
    path: 'v2.1',
    how: 'start-end',
    speke: '2.1',
    periods: 1,
    timing: 'START_END_ONLY',
    title: 'a key period with start and end, without index',
  },
  {
    group: 'v2.1',
    path: 'v2.1',
    how: 'index-start-end',
    speke: '2.1',
    periods: 2,
    timing: 'INDEX_WITH_START_END',
    title: 'two key periods with index, start and end',
  },
  {
    group: 'v2.1',
    path: 'v2.1',
    how: 'offsets',
    speke: '2.1',
    periods: 2,
    timing: 'INDEX_WITH_START_END',
    vodTimes: true,
    title: 'key periods of VOD, with offsets',
  },
]

/** Checks of every choice of presets, live and VOD, and of every form of key periods. */
export function presetChecks(ask: Ask): readonly Check[] {
  const presets = PRESET_KINDS.flatMap(({ group, path, title, ...kind }) =>
    CHOICES.flatMap((choice) => {
      const name = choice.video === 'SHARED' ? 'shared' : `${choice.video}+${choice.audio}`.toLowerCase()
      return checkOf(ask, group, `${path}/${name}`, `answers ${name} (${title})`, {
        ...kind,
        ...choice,
        scheme: 'cenc',
        content: `${path.replaceAll(/[./]/g, '-')}-${name.replace('+', '-')}`,
      })
    }),
  )
  const periods = PERIOD_KINDS.flatMap(({ group, path, how, title, ...kind }) =>
    checkOf(ask, group, `${path}/periods/${how}`, `returns ${title} unchanged`, {
      ...kind,
      video: 'VIDEO-2',
      content: `periods-${how}`,
    }),
  )
  return [...presets, ...periods, ...utcCheck(ask)]
}

/** A check with start and end in another time zone: the answer must have the same UTC instants. */
function utcCheck(ask: Ask): readonly Check[] {
  const timing = 'INDEX_WITH_START_END'
  const built = ask({ speke: '2.1', periods: 2, timing, video: 'VIDEO-2', content: 'periods-utc' })
  if (built === undefined) return []
  const inZone = (time: string): string =>
    `${new Date(Date.parse(time) + ZONE_MS).toISOString().replace(/\.\d+Z$/, '')}+05:30`
  const changes = ['start', 'end'].map((name) => attributes('ContentKeyPeriod', name, inZone))
  const title = 'returns start and end of a key period as the same UTC instants'
  const steps = [{ xml: changed(built.xml, ...changes), version: built.version }]
  return [{ name: 'v2.1/periods/utc', group: 'v2.1', title, steps }]
}

const ZONE_MS = (5 * 60 + 30) * 60_000

/** Returns a check with one valid request, or none if the encryptor has no such request. */
export function checkOf(ask: Ask, group: CheckGroup, name: string, title: string, asked: Asked): readonly Check[] {
  const built = ask(asked)
  return built === undefined ? [] : [{ name, group, title, steps: [{ xml: built.xml, version: built.version }] }]
}

const SYSTEMS: readonly (readonly string[])[] = [
  ['fairplay'],
  ['aes-128'],
  ['widevine'],
  ['playready'],
  ['widevine', 'playready'],
  ['widevine', 'fairplay'],
  ['widevine', 'playready', 'fairplay'],
]

/** SPEKE 1.0 checks: live and VOD, each combination of systems that encryptors send, and invalid requests. */
export function v1Checks(ask: Ask): readonly Check[] {
  const right = SYSTEMS.flatMap((drm) =>
    (['live', 'vod'] as const).flatMap((kind) => {
      const systems = drm.join('+')
      return checkOf(ask, 'v1', `v1/${kind}/${systems}`, `answers ${systems} in SPEKE 1.0, ${kind}`, {
        speke: '1.0',
        drm,
        periods: kind === 'live' ? 1 : 0,
        content: `v1-${kind}`,
      })
    }),
  )
  return [...right, ...wrong(ask)]
}

const BREAKS = [
  ['no-id', 'rejects a request without CPIX@id', attributes('CPIX', 'id', undefined)],
  ['no-keys', 'rejects a request without ContentKeyList', without('ContentKeyList')],
  ['no-systems', 'rejects a request without DRMSystemList', without('DRMSystemList')],
  ['kid', 'rejects a kid that is not a UUID', attributes('ContentKey', 'kid', 'kid-1')],
  ['same-kid', 'rejects a duplicate kid', twice('ContentKey')],
] as const

function wrong(ask: Ask): readonly Check[] {
  const asked: Asked = { speke: '1.0', periods: 0, content: 'v1-wrong' }
  const built =
    ask({ ...asked, drm: ['widevine'] }) ?? ask({ ...asked, drm: ['aes-128'] }) ?? ask({ ...asked, drm: ['fairplay'] })
  if (built === undefined) return []
  return BREAKS.map(([name, title, change]) => ({
    name: `v1/wrong/${name}`,
    group: 'v1',
    title,
    steps: [{ xml: changed(built.xml, change), version: built.version, refusal: refused() }],
  }))
}

interface Case extends Omit<Asked, 'speke'> {
  readonly name: string
  readonly title: string
}

/** Requests and requirements of MediaPackage v2 by container. */
const CASES: readonly Case[] = [
  { name: 'iv-cenc', title: 'returns an explicitIV for cenc without a request for it', scheme: 'cenc', iv: 'none' },
  { name: 'iv-cbcs', title: 'returns an explicitIV for cbcs without a request for it', scheme: 'cbcs', iv: 'none' },
  { name: 'iv-cbc1', title: 'returns an explicitIV for AES-128 without a request for it', scheme: 'cbc1', iv: 'none' },
  {
    name: 'ts-fairplay',
    title: 'answers TS with FairPlay',
    scheme: 'cbcs',
    drm: ['fairplay'],
    container: 'ts',
    video: 'SHARED',
  },
  {
    name: 'ts-aes-128',
    title: 'answers TS with AES-128',
    scheme: 'cbc1',
    drm: ['aes-128'],
    container: 'ts',
    video: 'SHARED',
  },
  {
    name: 'cmaf-cbcs',
    title: 'answers CMAF with every system, cbcs',
    scheme: 'cbcs',
    container: 'cmaf',
    video: 'VIDEO-8',
    audio: 'AUDIO-3',
  },
  {
    name: 'cmaf-cenc',
    title: 'answers CMAF with Widevine and PlayReady, cenc',
    scheme: 'cenc',
    container: 'cmaf',
    video: 'VIDEO-5',
  },
  {
    name: 'mss',
    title: 'answers Smooth Streaming with PlayReady and a shared key',
    scheme: 'cenc',
    drm: ['playready'],
    container: 'mss',
    video: 'SHARED',
  },
  {
    name: 'fairplay-alone',
    title: 'writes METHOD=SAMPLE-AES for FairPlay',
    scheme: 'cbcs',
    drm: ['fairplay'],
    video: 'VIDEO-2',
  },
  { name: 'method-cenc', title: 'writes METHOD=SAMPLE-AES for cenc', scheme: 'cenc', video: 'VIDEO-1' },
]

/** Checks of the requirements of MediaPackage v2. */
export function mediaPackageChecks(ask: Ask): readonly Check[] {
  return V2.flatMap((speke) =>
    CASES.flatMap(({ name, title, ...asked }) =>
      checkOf(ask, 'mediapackage-v2', `mediapackage-v2/${speke}/${name}`, title, {
        speke,
        content: `mp2-${asked.scheme}`,
        ...asked,
      }),
    ),
  )
}
