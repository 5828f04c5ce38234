import type { SystemId } from '../../formats/cenc.ts'
import { DEFAULT_SETTINGS, type SignalingSettings } from '../../formats/drm/settings.ts'

/** The form of answers for one kind of encryptor. @see docs/config.md, "signalingProfiles" */
export interface SignalingProfile {
  readonly name: string
  readonly settings: SignalingSettings
  /** Which keys without a requested IV get one. `by-scheme`: those whose scheme has a constant IV; `always`: every key. */
  readonly explicitIv: 'by-scheme' | 'always'
  readonly v1: {
    /** The scheme of a SPEKE 1.0 document, unless one of its systems implies another. */
    readonly scheme: 'cenc' | 'cbcs'
  }
  /** By intendedTrackType or `*`; SPEKE 2.1 only. */
  readonly hdcp: ByTrackType<{ readonly level?: string; readonly version?: string }>
  readonly robustness: Readonly<Record<SystemId, ByTrackType<string>>>
  readonly allowedCpc: Readonly<Record<SystemId, string>>
}

type ByTrackType<T> = Readonly<Record<string, T>>

export const DEFAULT_PROFILE: SignalingProfile = {
  name: 'default',
  settings: DEFAULT_SETTINGS,
  explicitIv: 'by-scheme',
  v1: { scheme: 'cenc' },
  hdcp: {},
  robustness: {},
  allowedCpc: {},
}

/** What MediaPackage v2 expects beyond the specification. */
export const MEDIAPACKAGE_V2_PROFILE: SignalingProfile = {
  ...DEFAULT_PROFILE,
  name: 'mediapackage-v2',
  settings: { ...DEFAULT_SETTINGS, hls: { ...DEFAULT_SETTINGS.hls, cencMethod: 'SAMPLE-AES' } },
  explicitIv: 'always',
}

/** The setting for a key: that of its first track type that has one, else that of `*`. */
export function settingFor<T>(settings: ByTrackType<T>, trackTypes: readonly string[]): T | undefined {
  const named = trackTypes.find((trackType) => Object.hasOwn(settings, trackType))
  return settings[named ?? '*']
}

/** Choices where the specification leaves one. */
export interface SpekePolicy {
  /** Whether a SPEKE 2 document without X-Speke-Version is rejected or answered as 2.0. */
  readonly missingVersionHeader: 'refuse' | 'assume-2.0'
  /** Whether BitrateFilter and VideoFilter/@wcg are rejected instead of ignored. */
  readonly strictContract: boolean
  /** Whether a DRMSystem without elements stays empty, as SPEKE says, or is filled, as plain CPIX clients expect. */
  readonly emptyDrmSystems: 'keep' | 'fill'
  /** Whether one key may encrypt all tracks, and one key both audio and UHD video. */
  readonly contract: { readonly allKey: 'allow' | 'refuse'; readonly audioWithUhd: 'allow' | 'refuse' }
  /** Whether a recipient's certificate that is expired or not yet valid is rejected or logged. */
  readonly certificateValidity: 'reject' | 'warn'
  readonly limits: { readonly contentKeys: number; readonly drmSystems: number; readonly recipients: number }
}

export const DEFAULT_POLICY: SpekePolicy = {
  missingVersionHeader: 'refuse',
  strictContract: false,
  emptyDrmSystems: 'keep',
  contract: { allKey: 'allow', audioWithUhd: 'refuse' },
  certificateValidity: 'reject',
  limits: { contentKeys: 256, drmSystems: 2048, recipients: 32 },
}
