import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AUDIO_PRESETS, VIDEO_PRESETS } from '../../../../src/protocols/speke/tables/presets.ts'
import { AUDIO_PRESET_NAMES, tracksOf, VIDEO_PRESET_NAMES } from '../../../../src/toolkit/encryptor/request/presets.ts'

/** @see https://docs.aws.amazon.com/mediapackage/latest/userguide/drm-content-speke-v2-presets.html */
const OF_AWS: readonly (readonly [
  preset: string,
  tracks: Readonly<Record<string, readonly [] | readonly [min: number | undefined, max?: number]>>,
])[] = [
  ['VIDEO-1', { VIDEO: [] }],
  ['VIDEO-2', { SD: [undefined, 589824], HD: [589825] }],
  ['VIDEO-3', { SD: [undefined, 589824], HD: [589825, 2073600], UHD: [2073601] }],
  ['VIDEO-4', { SD: [undefined, 589824], HD: [589825, 2073600], UHD1: [2073601, 8847360], UHD2: [8847361] }],
  [
    'VIDEO-5',
    {
      SD: [undefined, 589824],
      HD1: [589825, 921600],
      HD2: [921601, 2073600],
      UHD1: [2073601, 8847360],
      UHD2: [8847361],
    },
  ],
  ['VIDEO-6', { SD: [undefined, 589824], HD1: [589825, 921600], HD2: [921601, 2073600], UHD: [2073601] }],
  ['VIDEO-7', { 'SD+HD1': [undefined, 921600], HD2: [921601, 2073600], UHD: [2073601] }],
  ['VIDEO-8', { 'SD+HD1': [undefined, 921600], HD2: [921601, 2073600], UHD1: [2073601, 8847360], UHD2: [8847361] }],
  ['AUDIO-1', { AUDIO: [] }],
  ['AUDIO-2', { STEREO_AUDIO: [undefined, 2], MULTICHANNEL_AUDIO: [3] }],
  ['AUDIO-3', { STEREO_AUDIO: [undefined, 2], MULTICHANNEL_AUDIO_3_6: [3, 6], MULTICHANNEL_AUDIO_7: [7] }],
]

for (const [preset, tracks] of OF_AWS) {
  test(`${preset} has the keys and thresholds that AWS documents`, () => {
    const own = { ...VIDEO_PRESETS, ...AUDIO_PRESETS }[preset as keyof typeof VIDEO_PRESETS]
    const unit = preset.startsWith('VIDEO') ? 'Pixels' : 'Channels'
    const written = own.map(({ intendedTrackType, filters: [filter] }) => {
      const attributes: Readonly<Record<string, number>> = filter?.attributes ?? {}
      return [intendedTrackType, attributes[`min${unit}`], attributes[`max${unit}`]]
    })
    assert.deepEqual(
      written,
      Object.entries(tracks).map(([track, [min, max]]) => [track, min, max]),
    )
  })
}

const typesOf = (video?: string, audio?: string): readonly string[] =>
  tracksOf({ video, audio }).map(({ intendedTrackType }) => intendedTrackType)

test('the default is one key for video and one for audio', () => {
  assert.deepEqual(typesOf(), ['VIDEO', 'AUDIO'])
})

test('accepts the AWS spellings of presets in any letter case', () => {
  for (const name of ['VIDEO-2', 'video-2', 'PRESET-VIDEO-2', 'PRESET_VIDEO_2', 'preset_video_2']) {
    assert.deepEqual(typesOf(name), ['SD', 'HD', 'AUDIO'], name)
  }
})

test('SHARED for video or audio means one key for all tracks', () => {
  for (const choice of [['SHARED'], [undefined, 'SHARED'], ['SHARED', 'SHARED']]) {
    assert.deepEqual(typesOf(...choice), ['ALL'])
  }
})

test('UNENCRYPTED requests no key for its tracks', () => {
  assert.deepEqual(typesOf('UNENCRYPTED'), ['AUDIO'])
  assert.deepEqual(typesOf('VIDEO-1', 'UNENCRYPTED'), ['VIDEO'])
})

for (const [video, audio] of [
  ['SHARED', 'AUDIO-1'],
  ['VIDEO-1', 'SHARED'],
  ['SHARED', 'UNENCRYPTED'],
  ['UNENCRYPTED', 'UNENCRYPTED'],
  ['VIDEO-9', undefined],
  ['AUDIO-1', undefined],
  [undefined, 'VIDEO-1'],
  ['toString', undefined],
  ['', undefined],
]) {
  test(`rejects the presets ${video} and ${audio} together`, () => {
    assert.throws(() => typesOf(video, audio), { code: 'ERR_USAGE_INVALID' })
  })
}

test('accepts every preset name in the help text', () => {
  for (const name of VIDEO_PRESET_NAMES) assert.ok(typesOf(name, name === 'SHARED' ? undefined : 'AUDIO-1').length > 0)
  for (const name of AUDIO_PRESET_NAMES) assert.ok(typesOf(name === 'SHARED' ? undefined : 'VIDEO-1', name).length > 0)
})
