import type { Slot } from '../../../formats/drm/system.ts'
import type { EncryptorName } from '../../../protocols/speke/tables/presets.ts'

/** How one encryptor writes its requests. A key provider must not rely on these details. */
export interface Shape {
  readonly name: EncryptorName
  readonly title: string
  /** The source of the shape. */
  readonly basis: string
  /** True if no document or capture shows a request, so that the shape is an assumption. */
  readonly assumed: boolean
  /** The SPEKE versions it supports, the usual one first. */
  readonly versions: readonly ('1.0' | '2.0' | '2.1')[]
  /** The header names in its spelling. */
  readonly headers: { readonly contentType: string; readonly spekeVersion: string }
  readonly keyAttributes: readonly ('kid' | 'explicitIV' | 'commonEncryptionScheme')[]
  readonly slotOrder: readonly Slot[]
  readonly filterOrder: readonly ('VideoFilter' | 'AudioFilter')[]
  /** Empty elements that it writes with an end tag. */
  readonly pairs: readonly string[]
  /** The order of DRMSystem elements: all keys of a system, or all systems of a key. */
  readonly systemsBy: 'system' | 'key'
  /** Whether a SPEKE 1.0 DRMSystem has every child, for every DRM system. */
  readonly everySlotInV1: boolean
  /** Whether it asks for a PSSH for FairPlay too. */
  readonly fairplayPssh: boolean
  /** Whether it sends an IV of its own. */
  readonly explicitIv: 'new' | 'none'
  /** Whether it sends a key period even without key rotation. */
  readonly live: boolean
  readonly firstPeriodIndex: number
}

/** The children of DRMSystem that MediaPackage v1 sends for every DRM system. */
export const V1_SLOTS: readonly Slot[] = [
  'ContentProtectionData',
  'speke:KeyFormat',
  'speke:KeyFormatVersions',
  'speke:ProtectionHeader',
  'PSSH',
  'URIExtXKey',
]

/** The order of the CPIX schema. @see CPIX 2.3, DRMSystem */
const SPEC: Shape = {
  name: 'spec',
  title: 'the specification: children in the order of the CPIX schema',
  basis: 'CPIX 2.3 and 2.4 schemas',
  assumed: false,
  versions: ['2.0', '2.1', '1.0'],
  headers: { contentType: 'Content-Type', spekeVersion: 'X-Speke-Version' },
  keyAttributes: ['kid', 'explicitIV', 'commonEncryptionScheme'],
  slotOrder: [
    'PSSH',
    'ContentProtectionData',
    'URIExtXKey',
    'HLSSignalingData',
    'SmoothStreamingProtectionHeaderData',
    'speke:ProtectionHeader',
    'speke:KeyFormat',
    'speke:KeyFormatVersions',
  ],
  filterOrder: ['VideoFilter', 'AudioFilter'],
  pairs: [],
  systemsBy: 'key',
  everySlotInV1: false,
  fairplayPssh: false,
  explicitIv: 'none',
  live: false,
  firstPeriodIndex: 0,
}

/** The common details of AWS documents. */
const AWS: Shape = {
  ...SPEC,
  slotOrder: [
    'HLSSignalingData',
    ...V1_SLOTS.filter((slot) => slot !== 'PSSH' && slot !== 'URIExtXKey'),
    'PSSH',
    'SmoothStreamingProtectionHeaderData',
    'URIExtXKey',
  ],
  filterOrder: ['AudioFilter', 'VideoFilter'],
  pairs: [
    'cpix:ContentKey',
    'cpix:HLSSignalingData',
    'cpix:ContentProtectionData',
    'cpix:PSSH',
    'cpix:SmoothStreamingProtectionHeaderData',
  ],
  systemsBy: 'system',
}

/** The shapes by the values of `--as`. */
export const SHAPES: Readonly<Record<EncryptorName, Shape>> = {
  spec: SPEC,
  'mediapackage-v1': {
    ...AWS,
    name: 'mediapackage-v1',
    title: 'AWS Elemental MediaPackage v1',
    basis: 'requests seen by the AWS reference server: all six children for every system, large period indexes',
    versions: ['1.0', '2.0'],
    pairs: [],
    everySlotInV1: true,
    fairplayPssh: true,
    live: true,
    firstPeriodIndex: 11425,
  },
  'mediapackage-v2': {
    ...AWS,
    name: 'mediapackage-v2',
    title: 'AWS Elemental MediaPackage v2',
    basis: 'AWS documents; it sends an IV for every key and asks for a PSSH for FairPlay',
    versions: ['2.0', '2.1'],
    fairplayPssh: true,
    explicitIv: 'new',
    live: true,
  },
  mediaconvert: {
    ...AWS,
    name: 'mediaconvert',
    title: 'AWS Elemental MediaConvert',
    basis: 'AWS documents of VOD requests; the children for each container are an assumption',
    assumed: true,
    versions: ['2.0', '1.0'],
  },
  'elemental-live': {
    ...AWS,
    name: 'elemental-live',
    title: 'AWS Elemental Live',
    basis: 'no document shows a request; assumed: SPEKE 1.0 as AWS documents it, with a key period',
    assumed: true,
    versions: ['1.0'],
    pairs: [],
    live: true,
    firstPeriodIndex: 1,
  },
  shaka: {
    ...SPEC,
    name: 'shaka',
    title: 'Shaka Packager with --enable_cpix_encryption',
    basis: 'it sends the given file with the headers of --cpix_headers, so the shape follows the specification',
    versions: ['2.0', '2.1', '1.0'],
  },
}

/** The children of DRMSystem that a packager needs for a kind of container: the values of `--container`. */
export const CONTAINERS: Readonly<Record<string, readonly Slot[]>> = {
  all: [
    'PSSH',
    'ContentProtectionData',
    'HLSSignalingData',
    'SmoothStreamingProtectionHeaderData',
    'URIExtXKey',
    'speke:KeyFormat',
    'speke:KeyFormatVersions',
    'speke:ProtectionHeader',
  ],
  dash: ['PSSH', 'ContentProtectionData'],
  cmaf: [
    'PSSH',
    'ContentProtectionData',
    'HLSSignalingData',
    'URIExtXKey',
    'speke:KeyFormat',
    'speke:KeyFormatVersions',
  ],
  hls: ['PSSH', 'HLSSignalingData', 'URIExtXKey', 'speke:KeyFormat', 'speke:KeyFormatVersions'],
  ts: ['HLSSignalingData', 'URIExtXKey', 'speke:KeyFormat', 'speke:KeyFormatVersions'],
  mss: ['PSSH', 'SmoothStreamingProtectionHeaderData', 'speke:ProtectionHeader'],
}
