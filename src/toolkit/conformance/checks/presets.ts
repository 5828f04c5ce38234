import { AUDIO_PRESETS, VIDEO_PRESETS } from '../../../protocols/speke/tables/presets.ts'
import type { Ask, Asked } from '../asking.ts'
import { attributes, changed } from '../changes.ts'
import type { Check, CheckGroup } from '../check.ts'

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
