/** One key of a preset: the tracks it is for. */
export interface PresetTrack {
  readonly intendedTrackType: string
  readonly filters: readonly PresetFilter[]
}

interface PresetFilter {
  readonly element: 'VideoFilter' | 'AudioFilter'
  /** Attributes of the filter: pixels of video, channels of audio, inclusive at both ends. */
  readonly attributes: Readonly<Record<string, number>>
}

/** The highest number of pixels of a class. The next class starts one above. */
const SD = 1024 * 576
const HD1 = 1280 * 720
const HD = 1920 * 1080
const UHD1 = 4096 * 2160

/**
 * The video presets of AWS encryptors: which tracks share a key.
 * @see AWS Elemental MediaPackage API, EncryptionContractConfiguration
 */
export const VIDEO_PRESETS = {
  'VIDEO-1': [video('VIDEO')],
  'VIDEO-2': [video('SD', undefined, SD), video('HD', SD)],
  'VIDEO-3': [video('SD', undefined, SD), video('HD', SD, HD), video('UHD', HD)],
  'VIDEO-4': [video('SD', undefined, SD), video('HD', SD, HD), video('UHD1', HD, UHD1), video('UHD2', UHD1)],
  'VIDEO-5': [
    video('SD', undefined, SD),
    video('HD1', SD, HD1),
    video('HD2', HD1, HD),
    video('UHD1', HD, UHD1),
    video('UHD2', UHD1),
  ],
  'VIDEO-6': [video('SD', undefined, SD), video('HD1', SD, HD1), video('HD2', HD1, HD), video('UHD', HD)],
  'VIDEO-7': [video('SD+HD1', undefined, HD1), video('HD2', HD1, HD), video('UHD', HD)],
  'VIDEO-8': [video('SD+HD1', undefined, HD1), video('HD2', HD1, HD), video('UHD1', HD, UHD1), video('UHD2', UHD1)],
} as const satisfies Record<string, readonly PresetTrack[]>

/** The audio presets of AWS encryptors. */
export const AUDIO_PRESETS = {
  'AUDIO-1': [audio('AUDIO')],
  'AUDIO-2': [audio('STEREO_AUDIO', undefined, 2), audio('MULTICHANNEL_AUDIO', 3)],
  'AUDIO-3': [
    audio('STEREO_AUDIO', undefined, 2),
    audio('MULTICHANNEL_AUDIO_3_6', 3, 6),
    audio('MULTICHANNEL_AUDIO_7', 7),
  ],
} as const satisfies Record<string, readonly PresetTrack[]>

/** SHARED: one key for all tracks, with the track type ALL. */
export const SHARED_PRESET: readonly PresetTrack[] = [
  {
    intendedTrackType: 'ALL',
    filters: [
      { element: 'VideoFilter', attributes: {} },
      { element: 'AudioFilter', attributes: {} },
    ],
  },
]

/** Video of more than `above` and at most `maxPixels` pixels. */
function video(intendedTrackType: string, above?: number, maxPixels?: number): PresetTrack {
  const attributes = {
    ...(above !== undefined && { minPixels: above + 1 }),
    ...(maxPixels !== undefined && { maxPixels }),
  }
  return { intendedTrackType, filters: [{ element: 'VideoFilter', attributes }] }
}

function audio(intendedTrackType: string, minChannels?: number, maxChannels?: number): PresetTrack {
  const attributes = {
    ...(minChannels !== undefined && { minChannels }),
    ...(maxChannels !== undefined && { maxChannels }),
  }
  return { intendedTrackType, filters: [{ element: 'AudioFilter', attributes }] }
}

/** The encryptors with known habits. `spec` is an encryptor that does only what the specifications say. */
export const ENCRYPTORS = [
  'spec',
  'mediapackage-v1',
  'mediapackage-v2',
  'mediaconvert',
  'elemental-live',
  'shaka',
] as const
export type EncryptorName = (typeof ENCRYPTORS)[number]
