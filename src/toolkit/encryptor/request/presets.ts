import { wrongUsage } from '../../../core/errors.ts'
import {
  AUDIO_PRESETS,
  type PresetTrack,
  SHARED_PRESET,
  VIDEO_PRESETS,
} from '../../../protocols/speke/tables/presets.ts'

/** The values of `--video` and `--audio`. */
export const VIDEO_PRESET_NAMES: readonly string[] = [...Object.keys(VIDEO_PRESETS), 'SHARED', 'UNENCRYPTED']
export const AUDIO_PRESET_NAMES: readonly string[] = [...Object.keys(AUDIO_PRESETS), 'SHARED', 'UNENCRYPTED']

export interface PresetChoice {
  readonly video?: string | undefined
  readonly audio?: string | undefined
}

/**
 * Returns the tracks of a choice of presets, video before audio. Each track has its own key. Throws ERR_USAGE_INVALID for an
 * unknown preset or a contradictory choice.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/encryption-contract.html
 */
export function tracksOf({ video, audio }: PresetChoice): readonly PresetTrack[] {
  const videoName = nameOf(video, VIDEO_PRESET_NAMES, 'video')
  const audioName = nameOf(audio, AUDIO_PRESET_NAMES, 'audio')
  if (videoName === 'SHARED' || audioName === 'SHARED') {
    const other = videoName === 'SHARED' ? audioName : videoName
    if (other !== undefined && other !== 'SHARED')
      throw wrongUsage(`SHARED means one key for video and audio: remove the preset ${other}`)
    return SHARED_PRESET
  }
  const tracks = [
    ...presetTracks(VIDEO_PRESETS, videoName ?? 'VIDEO-1'),
    ...presetTracks(AUDIO_PRESETS, audioName ?? 'AUDIO-1'),
  ]
  if (tracks.length === 0)
    throw wrongUsage(
      'video and audio are both UNENCRYPTED, so the request would have no key: choose another preset for one of them',
    )
  return tracks
}

/** Accepts the AWS spellings `PRESET-VIDEO-1` and `PRESET_VIDEO_1` and the short name. */
function nameOf(text: string | undefined, names: readonly string[], kind: string): string | undefined {
  if (text === undefined) return undefined
  const name = text
    .toUpperCase()
    .replaceAll('_', '-')
    .replace(/^PRESET-/, '')
  if (!names.includes(name)) throw wrongUsage(`the ${kind} preset must be one of ${names.join(', ')}`)
  return name
}

function presetTracks(presets: Readonly<Record<string, readonly PresetTrack[]>>, name: string): readonly PresetTrack[] {
  return Object.hasOwn(presets, name) ? (presets[name] ?? []) : []
}
