import { COMMON_ENCRYPTION_SCHEMES, type CommonEncryptionScheme } from '../../../formats/cenc.ts'
import type { DeliveryDataForm } from '../../../formats/cpix/fill.ts'

/** The METHOD names of HLS that SPEKE 2.1 takes as a scheme, and the scheme each stands for. `NONE` is none. @see speke.md 4.3, 7 */
export const HLS_METHODS = {
  'AES-128': 'cbc1',
  'SAMPLE-AES': 'cbcs',
  'SAMPLE-AES-CTR': 'cenc',
} as const satisfies Record<string, CommonEncryptionScheme>

const FOUR_CHARACTER_CODES = Object.fromEntries(COMMON_ENCRYPTION_SCHEMES.map((scheme) => [scheme, scheme]))

/** One version of SPEKE. @see speke.md 1, the dispatch table */
export interface SpekeVersion {
  readonly major: 1 | 2
  /** The value of X-Speke-Version. */
  readonly header: '1.0' | '2.0' | '2.1'
  /** The value of CPIX@version that goes with it; SPEKE 1.0 has none. */
  readonly cpixVersion: string | undefined
  /** The attribute of CPIX that names the content. */
  readonly contentIdAttribute: 'id' | 'contentId'
  /** The values of ContentKey@commonEncryptionScheme and the scheme each means. */
  readonly schemes: Readonly<Record<string, CommonEncryptionScheme>>
  /** The values of HLSSignalingData@playlist and the playlist each means. */
  readonly playlists: Readonly<Record<string, 'media' | 'master'>>
  /** Whether a ContentKeyPeriod must have an index, may have start and end instead, or may have neither. */
  readonly periodBounds: 'index' | 'index-or-interval' | 'any'
  /** Whether HDCPData, robustness and HLSAllowedCPC may be returned. */
  readonly returnsProtectionLevels: boolean
  /** Whether what SPEKE 2 removes (CPIX@id, URIExtXKey, the elements of SPEKE 1.0) is kept and filled: in CPIX itself. */
  readonly keepsElementsOfV1?: boolean
  /** How DeliveryData is filled; as SPEKE documents it if not said. @see cpix.md 5.4 */
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
  // CPIX 2.4 renamed `master`; SPEKE 2.1 still writes it: both are one slot, echoed as sent (speke.md A-10).
  playlists: { media: 'media', master: 'master', multiVariant: 'master' },
  periodBounds: 'index-or-interval',
  returnsProtectionLevels: true,
}

/** CPIX between parties that agreed on nothing else: no header names it, every edition is taken. @see cpix.md 12, 13 */
export const CPIX_EXCHANGE: SpekeVersion = {
  ...SPEKE_2_1,
  // Editions named the playlists differently, and one line without a name is for the media playlist.
  playlists: { media: 'media', variant: 'media', '': 'media', master: 'master', multiVariant: 'master' },
  periodBounds: 'any',
  returnsProtectionLevels: false,
  keepsElementsOfV1: true,
  deliveryDataForm: 'cpix-2.3',
}

/** What CPIX 2.4 adds to that, and takes away. */
export const CPIX_EXCHANGE_2_4: SpekeVersion = {
  ...CPIX_EXCHANGE,
  returnsProtectionLevels: true,
  deliveryDataForm: 'cpix-2.4',
}

/** The versions by X-Speke-Version. */
export const SPEKE_VERSIONS: ReadonlyMap<string, SpekeVersion> = new Map(
  [SPEKE_1_0, SPEKE_2_0, SPEKE_2_1].map((version) => [version.header, version]),
)
