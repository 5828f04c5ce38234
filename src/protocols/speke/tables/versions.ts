import { COMMON_ENCRYPTION_SCHEMES, type CommonEncryptionScheme } from '../../../formats/cenc.ts'
import type { DeliveryDataForm } from '../../../formats/cpix/fill.ts'

/** The METHOD names of HLS that SPEKE 2.1 accepts as a scheme, and their schemes. `NONE` is not accepted. */
const HLS_METHODS = {
  'AES-128': 'cbc1',
  'SAMPLE-AES': 'cbcs',
  'SAMPLE-AES-CTR': 'cenc',
} as const satisfies Record<string, CommonEncryptionScheme>

const FOUR_CHARACTER_CODES = Object.fromEntries(COMMON_ENCRYPTION_SCHEMES.map((scheme) => [scheme, scheme]))

/** One version of SPEKE. */
export interface SpekeVersion {
  readonly major: 1 | 2
  /** The value of X-Speke-Version. */
  readonly header: '1.0' | '2.0' | '2.1'
  /** The value of CPIX/@version; undefined in SPEKE 1.0. */
  readonly cpixVersion: string | undefined
  /** The attribute of CPIX that identifies the content. */
  readonly contentIdAttribute: 'id' | 'contentId'
  /** The values of ContentKey/@commonEncryptionScheme, and their schemes. */
  readonly schemes: Readonly<Record<string, CommonEncryptionScheme>>
  /** The values of HLSSignalingData/@playlist, and their playlists. */
  readonly playlists: Readonly<Record<string, 'media' | 'master'>>
  /** Whether a ContentKeyPeriod needs an index, an index or an interval, or neither. */
  readonly periodBounds: 'index' | 'index-or-interval' | 'any'
  /** Whether answers have HDCPData, robustness and HLSAllowedCPC. */
  readonly returnsProtectionLevels: boolean
  /** Whether answers keep and fill what SPEKE 2 removes: CPIX/@id, URIExtXKey and the elements of SPEKE 1.0. */
  readonly keepsElementsOfV1?: boolean
  /** The form of filled DeliveryData. Default: as SPEKE documents it. */
  readonly deliveryDataForm?: DeliveryDataForm
}

export const SPEKE_1_0: SpekeVersion = {
  major: 1,
  header: '1.0',
  cpixVersion: undefined,
  contentIdAttribute: 'id',
  schemes: {},
  playlists: {},
  periodBounds: 'any',
  returnsProtectionLevels: false,
}

export const SPEKE_2_0: SpekeVersion = {
  major: 2,
  header: '2.0',
  cpixVersion: '2.3',
  contentIdAttribute: 'contentId',
  schemes: FOUR_CHARACTER_CODES,
  playlists: { media: 'media', master: 'master' },
  periodBounds: 'index',
  returnsProtectionLevels: false,
}

export const SPEKE_2_1: SpekeVersion = {
  ...SPEKE_2_0,
  header: '2.1',
  cpixVersion: '2.4',
  schemes: { ...FOUR_CHARACTER_CODES, ...HLS_METHODS },
  // CPIX 2.4 renamed `master`, and SPEKE 2.1 still writes it. Both are one playlist, echoed as sent.
  playlists: { media: 'media', master: 'master', multiVariant: 'master' },
  periodBounds: 'index-or-interval',
  returnsProtectionLevels: true,
}

/** CPIX without SPEKE: no header names a version, and every edition is accepted. */
export const CPIX_EXCHANGE: SpekeVersion = {
  ...SPEKE_2_1,
  // The editions name the playlists differently. A line without a name is for the media playlist.
  playlists: { media: 'media', variant: 'media', '': 'media', master: 'master', multiVariant: 'master' },
  periodBounds: 'any',
  returnsProtectionLevels: false,
  keepsElementsOfV1: true,
  deliveryDataForm: 'cpix-2.3',
}

/** CPIX 2.4 without SPEKE. */
export const CPIX_EXCHANGE_2_4: SpekeVersion = {
  ...CPIX_EXCHANGE,
  returnsProtectionLevels: true,
  deliveryDataForm: 'cpix-2.4',
}

/** The versions by X-Speke-Version. */
export const SPEKE_VERSIONS: ReadonlyMap<string, SpekeVersion> = new Map(
  [SPEKE_1_0, SPEKE_2_0, SPEKE_2_1].map((version) => [version.header, version]),
)
