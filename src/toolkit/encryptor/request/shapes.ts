import type { Slot } from '../../../formats/drm/system.ts'
import { ENCRYPTORS, type EncryptorName } from '../../../protocols/speke/tables/encryptors.ts'

export const SHAPE_NAMES = ENCRYPTORS
export type ShapeName = EncryptorName

/** How one encryptor writes its requests: what a key provider may take, but must not rely on. */
export interface Shape {
  readonly name: ShapeName
  readonly title: string
  /** Where the shape is known from. */
  readonly basis: string
  /** Whether no document or capture shows it: it is made by analogy. */
  readonly assumed: boolean
  /** The versions it speaks, the usual one first. */
  readonly versions: readonly ('1.0' | '2.0' | '2.1')[]
  /** The names of the headers as it spells them. */
  readonly headers: { readonly contentType: string; readonly spekeVersion: string }
  readonly keyAttributes: readonly ('kid' | 'explicitIV' | 'commonEncryptionScheme')[]
  readonly slotOrder: readonly Slot[]
  readonly filterOrder: readonly ('VideoFilter' | 'AudioFilter')[]
  /** The empty elements that it writes with an end tag of their own. */
  readonly pairs: readonly string[]
  /** Whether DRMSystem elements come system by system, or key by key. */
  readonly systemsBy: 'system' | 'key'
  /** Whether a SPEKE 1.0 DRMSystem holds every child there is, whatever the system. */
  readonly everySlotInV1: boolean
  /** Whether FairPlay is asked for a PSSH as others are. @see speke.md A-13 */
  readonly fairplayPssh: boolean
  /** Whether it makes an IV where none is given. */
  readonly explicitIv: 'new' | 'none'
  /** Whether it names a key period although keys do not rotate. */
  readonly live: boolean
  readonly firstPeriodIndex: number
}

/** What MediaPackage v1 asks of every system. @see speke.md 4.1 */
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

/** What the documents of AWS have in common. @see speke.md A-05, 13 */
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

/** The encryptors that `--as` names. */
export const SHAPES: Readonly<Record<ShapeName, Shape>> = {
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
    basis: 'AWS documents; an IV of its own for every key, a PSSH for FairPlay',
    versions: ['2.0', '2.1'],
    fairplayPssh: true,
    explicitIv: 'new',
    live: true,
  },
  mediaconvert: {
    ...AWS,
    name: 'mediaconvert',
    title: 'AWS Elemental MediaConvert',
    basis: 'AWS documents of VOD requests; which children it sends for a container is assumed',
    assumed: true,
    versions: ['2.0', '1.0'],
  },
  'elemental-live': {
    ...AWS,
    name: 'elemental-live',
    title: 'AWS Elemental Live',
    basis: 'no document shows a request: SPEKE 1.0 as AWS documents it, with a key period',
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
    basis: 'it posts the file it is given, with the headers of --cpix_headers: the shape is the specification',
    versions: ['2.0', '2.1', '1.0'],
  },
}
