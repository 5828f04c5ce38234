import { KeyProviderError } from '../core/errors.ts'
import { fillText, type Template } from '../core/template.ts'
import {
  type CommonEncryptionScheme,
  guidBytes,
  type Kid,
  type SystemId,
  toKid,
  toSystemId,
  uuidBytes,
} from '../formats/cenc.ts'
import { DRM_SYSTEMS } from '../formats/drm/facts.ts'
import { hlsMasterLine, hlsMediaLine } from '../formats/drm/hls.ts'
import { DEFAULT_SETTINGS, type SignalingSettings } from '../formats/drm/settings.ts'
import type { KeyFilling, SignalInput } from '../formats/drm/system.ts'

/** A content key and the values that its signalling requires. */
export interface KeyToSignal {
  readonly kid: string
  /** 16 bytes. PlayReady calculates CHECKSUM with it. */
  readonly contentKey: Uint8Array
  /** 16 bytes, for signalling that contains an IV. */
  readonly explicitIv?: Uint8Array
  readonly commonEncryptionScheme: CommonEncryptionScheme
  readonly contentId?: string
  /** Other kids of the content, for signalling that lists all kids. */
  readonly otherKids?: readonly string[]
  /** The index of the key period, for `settings.widevine.cryptoPeriodIndex`. */
  readonly periodIndex?: number
  /** The URL from which players download the key. HLS AES-128 and SAMPLE-AES with a clear key require it. */
  readonly keyUrl?: string
  /** The URL of the ClearKey licence service. DASH-IF ClearKey requires it. */
  readonly clearKeyLicenseUrl?: string
  readonly settings?: { readonly [Part in keyof SignalingSettings]?: Partial<SignalingSettings[Part]> }
}

/** The decoded signalling of a key for one DRM system. Encode the values as base64 for CPIX. A member is absent if the system does not use it. */
export interface KeySignaling {
  /** The complete pssh box. */
  readonly pssh?: Uint8Array
  /** XML for the content of a ContentProtection element. */
  readonly contentProtectionData?: string
  /** The EXT-X-KEY line. */
  readonly hlsMedia?: string
  /** The EXT-X-SESSION-KEY line. */
  readonly hlsMaster?: string
  /** The PlayReady Object. */
  readonly smoothProtectionHeader?: Uint8Array
  readonly uriExtXKey?: string
  readonly keyFormat?: string
  readonly keyFormatVersions?: string
}

/** A DRM system that `signalKey` supports. */
export interface KnownDrmSystem {
  readonly name: string
  readonly systemId: SystemId
  readonly commonEncryptionSchemes: readonly CommonEncryptionScheme[]
}

/** The DRM systems that `signalKey` supports. */
export const KNOWN_DRM_SYSTEMS: readonly KnownDrmSystem[] = [...DRM_SYSTEMS.values()].map(
  ({ name, systemId, commonEncryptionSchemes }) => ({ name, systemId, commonEncryptionSchemes }),
)

/**
 * Returns the signalling of a content key for one DRM system, as a Keyspring server builds it. Throws ERR_DRM_SYSTEM_UNKNOWN,
 * and ERR_SIGNALING_INVALID for an unsupported scheme or a missing or malformed value.
 */
export function signalKey(systemId: string, key: KeyToSignal): KeySignaling {
  const system = DRM_SYSTEMS.get(toSystemId(systemId) ?? ('' as SystemId))
  if (system === undefined)
    throw new KeyProviderError(
      'ERR_DRM_SYSTEM_UNKNOWN',
      `unknown DRM system ${systemId}: KNOWN_DRM_SYSTEMS lists the supported ones`,
    )
  const { commonEncryptionScheme } = key
  if (!system.commonEncryptionSchemes.includes(commonEncryptionScheme)) {
    throw invalid(`${system.name} supports ${system.commonEncryptionSchemes.join(', ')}, not ${commonEncryptionScheme}`)
  }
  const filling = fillingOf(key)
  const text = (template: Template<KeyFilling>): string => fillText(template, filling)
  const bytes = (template: Template<KeyFilling>): Uint8Array => new Uint8Array(Buffer.from(text(template), 'latin1'))
  const made = system.signal(inputOf(key), system)
  return {
    ...(made.pssh && { pssh: bytes(made.pssh) }),
    ...(made.contentProtectionData && { contentProtectionData: text(made.contentProtectionData) }),
    ...(made.hlsAttributes && {
      hlsMedia: text(hlsMediaLine(made.hlsAttributes)),
      hlsMaster: text(hlsMasterLine(made.hlsAttributes)),
    }),
    ...(made.smoothProtectionHeader && { smoothProtectionHeader: bytes(made.smoothProtectionHeader) }),
    ...(made.uriExtXKey && { uriExtXKey: text(made.uriExtXKey) }),
    ...(made.keyFormat !== undefined && { keyFormat: made.keyFormat }),
    ...(made.keyFormatVersions !== undefined && { keyFormatVersions: made.keyFormatVersions }),
  }
}

/** The 16 bytes of a kid in UUID order, as in pssh boxes, tenc, Widevine and ClearKey. */
export function kidBytes(kid: Kid): Uint8Array {
  return new Uint8Array(uuidBytes(kid))
}

/** The 16 bytes of a kid as a little-endian GUID, as in PlayReady. */
export function kidGuidBytes(kid: Kid): Uint8Array {
  return new Uint8Array(guidBytes(kid))
}

function inputOf(key: KeyToSignal): SignalInput {
  const kid = readKid(key.kid)
  const kids = [kid, ...(key.otherKids ?? []).map(readKid)]
  return {
    kid,
    contentId: key.contentId ?? '',
    commonEncryptionScheme: key.commonEncryptionScheme,
    explicitIv: key.explicitIv && Buffer.from(sixteen(key.explicitIv, 'explicitIv')).toString('base64'),
    periodKids: kids,
    documentKids: kids,
    periodIndex: key.periodIndex,
    get keyUrl() {
      return key.keyUrl ?? missing('keyUrl')
    },
    get clearKeyLicenseUrl() {
      return key.clearKeyLicenseUrl ?? missing('clearKeyLicenseUrl')
    },
    pssh: undefined,
    settings: {
      widevine: { ...DEFAULT_SETTINGS.widevine, ...key.settings?.widevine },
      playready: { ...DEFAULT_SETTINGS.playready, ...key.settings?.playready },
      fairplay: { ...DEFAULT_SETTINGS.fairplay, ...key.settings?.fairplay },
      hls: { ...DEFAULT_SETTINGS.hls, ...key.settings?.hls },
    },
  }
}

function fillingOf({ kid, contentKey, explicitIv }: KeyToSignal): KeyFilling {
  const own = readKid(kid)
  const keyAndIv = { contentKey: sixteen(contentKey, 'contentKey'), explicitIv: explicitIv ?? new Uint8Array(16) }
  return {
    memo: new Map(),
    keyAndIv(asked) {
      if (asked === own) return keyAndIv
      throw invalid(
        'settings.playready.kids "document" with cenc requires the key of every kid to calculate CHECKSUM. Use another value of kids',
      )
    },
  }
}

function readKid(text: string): Kid {
  return toKid(text) ?? missing('kid: a UUID')
}

function sixteen(bytes: Uint8Array, name: string): Uint8Array {
  return bytes.length === 16 ? bytes : missing(`${name}: 16 bytes`)
}

function missing(what: string): never {
  throw invalid(`expected ${what}`)
}

function invalid(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_SIGNALING_INVALID', problem)
}
