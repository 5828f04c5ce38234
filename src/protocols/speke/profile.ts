import type { SystemId } from '../../formats/cenc.ts'
import { DEFAULT_SETTINGS, type SignalingSettings } from '../../formats/drm/settings.ts'

/** What answers look like for one kind of encryptor. @see docs/config.md, "signalingProfiles" */
export interface SignalingProfile {
  readonly name: string
  readonly settings: SignalingSettings
  /** `by-scheme`: unasked only where the scheme has a constant IV (speke.md 5.3); `always`: for every key. */
  readonly explicitIv: 'by-scheme' | 'always'
  readonly v1: {
    /** The scheme of a SPEKE 1.0 document that names no system which implies one. */
    readonly scheme: 'cenc' | 'cbcs'
  }
  /** SPEKE 2.1, by intendedTrackType or `*`. */
  readonly hdcp: ByTrackType<{ readonly level?: string; readonly version?: string }>
  readonly robustness: Readonly<Record<SystemId, ByTrackType<string>>>
  readonly allowedCpc: Readonly<Record<SystemId, string>>
}

export type ByTrackType<T> = Readonly<Record<string, T>>

export const DEFAULT_PROFILE: SignalingProfile = {
  name: 'default',
  settings: DEFAULT_SETTINGS,
  explicitIv: 'by-scheme',
  v1: { scheme: 'cenc' },
  hdcp: {},
  robustness: {},
  allowedCpc: {},
}

/** What MediaPackage v2 is known to expect beyond the specification. @see speke.md 5.3, A-12 */
export const MEDIAPACKAGE_V2_PROFILE: SignalingProfile = {
  ...DEFAULT_PROFILE,
  name: 'mediapackage-v2',
  settings: { ...DEFAULT_SETTINGS, hls: { cencMethod: 'SAMPLE-AES' } },
  explicitIv: 'always',
}

/** The setting for a key: that of its first track type which has one, else the one for `*`. */
export function settingFor<T>(settings: ByTrackType<T>, trackTypes: readonly string[]): T | undefined {
  const named = trackTypes.find((trackType) => Object.hasOwn(settings, trackType))
  return settings[named ?? '*']
}

/** What a request may ask for beyond what the specification settles. */
export interface SpekePolicy {
  /** What a v2 document without X-Speke-Version gets. @see speke.md A-02 */
  readonly missingVersionHeader: 'refuse' | 'assume-2.0'
  /** Whether BitrateFilter and VideoFilter@wcg are refused rather than ignored. @see speke.md A-07 */
  readonly strictContract: boolean
  /** One key for every track, and one for audio and UHD video. @see speke.md A-27 */
  readonly contract: { readonly allKey: 'allow' | 'refuse'; readonly audioWithUhd: 'allow' | 'refuse' }
  /** What a recipient's certificate that is expired or not yet valid gets. */
  readonly certificateValidity: 'reject' | 'warn'
  readonly limits: { readonly contentKeys: number; readonly drmSystems: number; readonly recipients: number }
}

export const DEFAULT_POLICY: SpekePolicy = {
  missingVersionHeader: 'refuse',
  strictContract: false,
  contract: { allKey: 'allow', audioWithUhd: 'refuse' },
  certificateValidity: 'reject',
  limits: { contentKeys: 256, drmSystems: 2048, recipients: 32 },
}
