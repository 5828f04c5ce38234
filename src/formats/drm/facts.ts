import { COMMON_ENCRYPTION_SCHEMES, type CommonEncryptionScheme, type SystemId, systemIdOf } from '../cenc.ts'
import type { DrmSystem, DrmSystemFacts, Slot } from './system.ts'
import { signalClearKey } from './systems/clearkey.ts'
import { signalCommonPssh } from './systems/common-pssh.ts'
import { MAX_SKD_URI_BYTES, signalFairPlay } from './systems/fairplay.ts'
import { signalHlsAes128, signalHlsSampleAes } from './systems/hls-key-url.ts'
import { signalPlayReady } from './systems/playready.ts'
import { signalWidevine } from './systems/widevine.ts'

export const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
export const PLAYREADY = systemIdOf('9a04f079-9840-4286-ab92-e65be0885f95')
export const FAIRPLAY = systemIdOf('94ce86fb-07ff-4f43-adb8-93d2fa968ca2')
export const HLS_AES_128 = systemIdOf('3ea8778f-7742-4bf9-b18b-e834b2acbd47')
/** The ID that AWS uses for HLS AES-128 in SPEKE 1.0. It is not registered. */
export const HLS_AES_128_OF_AWS = systemIdOf('81376844-f976-481e-a84e-cc25d39b0b33')
export const HLS_SAMPLE_AES = systemIdOf('be58615b-19c4-4684-88b3-c8c57e99e957')
export const COMMON_PSSH = systemIdOf('1077efec-c0b2-4d02-ace3-3c1e52e2fb4b')
export const CLEARKEY = systemIdOf('e2719d58-a985-b3c9-781a-b030af78d30e')
const MARLIN = systemIdOf('5e629af5-38da-4063-8977-97ffbd9902d4')
/** The ID of Marlin's pssh boxes. */
const MARLIN_PSSH = systemIdOf('69f908af-4816-46ea-910c-cd5dcccb0a3a')
/** The bytes of PlayReady's ID in the wrong order, as old HbbTV receivers use them. */
export const PLAYREADY_SWAPPED = systemIdOf('79f0049a-4098-8642-ab92-e65be0885f95')

const CENC_AND_CBCS: readonly CommonEncryptionScheme[] = ['cenc', 'cbcs']
const BOX: readonly Slot[] = ['ContentProtectionData', 'PSSH']
const KEY_URL: readonly Slot[] = ['URIExtXKey', 'speke:KeyFormat', 'speke:KeyFormatVersions']
const HLS: readonly Slot[] = ['HLSSignalingData']
const URI_SECOND = ['METHOD', 'URI', 'KEYFORMAT', 'KEYFORMATVERSIONS']

/**
 * The DRM systems that Keyspring signals. To add one, write its `Signal` in `systems/` and add a row here.
 *
 * @see https://docs.aws.amazon.com/speke/latest/documentation/standard-payload-components.html
 * @see https://dashif.org/identifiers/content_protection/
 */
const SIGNALLED: readonly DrmSystem[] = [
  {
    name: 'Widevine',
    systemId: WIDEVINE,
    option: 'widevine',
    commonEncryptionSchemes: CENC_AND_CBCS,
    transferSchemes: COMMON_ENCRYPTION_SCHEMES,
    contentKeyClass: 'drm',
    spekeMajors: [1, 2],
    fills: { 1: ['PSSH'], 2: [...HLS, ...BOX] },
    keyFormat: `urn:uuid:${WIDEVINE}`,
    otherKeyFormats: ['com.widevine'],
    attributeOrder: URI_SECOND,
    signal: signalWidevine,
  },
  {
    name: 'PlayReady',
    systemId: PLAYREADY,
    option: 'playready',
    commonEncryptionSchemes: CENC_AND_CBCS,
    contentKeyClass: 'drm',
    spekeMajors: [1, 2],
    fills: { 1: ['speke:ProtectionHeader', 'PSSH'], 2: [...HLS, ...BOX, 'SmoothStreamingProtectionHeaderData'] },
    keyFormat: 'com.microsoft.playready',
    attributeOrder: ['METHOD', 'KEYFORMAT', 'KEYFORMATVERSIONS', 'URI'],
    dependsOnKids: (settings) => settings.playready.kids,
    signal: signalPlayReady,
  },
  {
    name: 'FairPlay',
    systemId: FAIRPLAY,
    option: 'fairplay',
    commonEncryptionSchemes: ['cbcs'],
    contentKeyClass: 'drm',
    spekeMajors: [1, 2],
    impliedScheme: 'cbcs',
    fills: { 1: KEY_URL, 2: HLS },
    refusesContentProtectionData: true,
    keyFormat: 'com.apple.streamingkeydelivery',
    attributeOrder: URI_SECOND,
    maxUriBytes: MAX_SKD_URI_BYTES,
    signal: signalFairPlay,
  },
  hlsKeyUrl('HLS AES-128', HLS_AES_128, {
    option: 'aes-128',
    commonEncryptionSchemes: ['cbc1'],
    asks: { 1: [], 2: HLS },
    signal: signalHlsAes128,
  }),
  hlsKeyUrl('HLS AES-128 (SPEKE 1.0)', HLS_AES_128_OF_AWS, {
    option: 'aes-128',
    commonEncryptionSchemes: ['cbc1'],
    spekeMajors: [1],
    asks: { 1: KEY_URL, 2: [] },
    signal: signalHlsAes128,
  }),
  hlsKeyUrl('HLS SAMPLE-AES', HLS_SAMPLE_AES, {
    option: 'sample-aes',
    commonEncryptionSchemes: ['cbcs'],
    impliedScheme: 'cbcs',
    asks: { 1: [], 2: HLS },
    signal: signalHlsSampleAes,
  }),
  {
    name: 'W3C Common PSSH',
    systemId: COMMON_PSSH,
    option: 'common-pssh',
    commonEncryptionSchemes: COMMON_ENCRYPTION_SCHEMES,
    contentKeyClass: 'clear',
    spekeMajors: [1, 2],
    fills: { 1: ['PSSH'], 2: BOX },
    asks: { 1: BOX, 2: BOX },
    fillsContentProtectionDataInV1: true,
    dependsOnKids: () => 'period',
    signal: signalCommonPssh,
  },
  {
    name: 'DASH-IF ClearKey',
    systemId: CLEARKEY,
    option: 'clearkey',
    commonEncryptionSchemes: CENC_AND_CBCS,
    contentKeyClass: 'clear',
    spekeMajors: [1, 2],
    fills: { 1: [], 2: ['ContentProtectionData'] },
    fillsContentProtectionDataInV1: true,
    otherKeyFormats: ['org.w3.clearkey'],
    signal: signalClearKey,
  },
]

/** The DRM systems that Keyspring names but does not signal, and IDs that only pssh boxes use. */
const NAMED: readonly DrmSystemFacts[] = [
  { name: 'Marlin', systemId: MARLIN, psshSystemId: MARLIN_PSSH },
  { name: 'Marlin (the ID of its boxes)', systemId: MARLIN_PSSH },
  named('ChinaDRM, WisePlay', '3d5e6d35-9b9a-41e8-b843-dd3c6e72c42c'),
  named('Nagra PRM 3.0', 'adb41c24-2dbf-4a6d-958b-4457c0d27b95', { otherKeyFormats: ['PRMNAGRA'] }),
  named('Irdeto', '80a6be7e-1448-4c37-9e70-d5aebe04c8d2', { option: 'irdeto', asks: { 1: [], 2: BOX } }),
  named('Verimatrix VCAS', '9a27dd82-fde2-4725-8cbc-4234aa06ec09'),
  named('Viaccess-Orca', 'b4413586-c58c-ffb0-94a5-d4896c1af6c3'),
  named('Synamedia', 'a68129d3-575b-4f1a-9cba-3223846cf7c3'),
  named('Adobe Primetime', 'f239e769-efa3-4850-9c16-a903c6932efb'),
  named('CMLA (OMA DRM)', '644fe7b5-260f-4fad-949a-0762ffb054b4'),
  named('FairPlay (an unofficial ID of boxes)', '29701fe4-3cc7-4a34-8c5b-ae90c7439a47'),
  { name: 'PlayReady, its ID in the wrong byte order (old HbbTV)', systemId: PLAYREADY_SWAPPED },
]

/** The DRM systems that this build signals, by system ID. */
export const DRM_SYSTEMS: ReadonlyMap<SystemId, DrmSystem> = byId(SIGNALLED)

/** Every DRM system with a known name, by system ID. */
export const DRM_SYSTEM_FACTS: ReadonlyMap<SystemId, DrmSystemFacts> = byId<DrmSystemFacts>([...SIGNALLED, ...NAMED])

/** The name of a DRM system, for people. */
export function drmSystemName(systemId: SystemId): string {
  return DRM_SYSTEM_FACTS.get(systemId)?.name ?? 'unknown DRM system'
}

/** KEYFORMAT of a DRM system; empty for a system that has none. */
export function keyFormatOf(systemId: SystemId): string {
  return DRM_SYSTEM_FACTS.get(systemId)?.keyFormat ?? ''
}

/** HLS AES-128 under another ID: SPEKE 1.0 defines none, so each encryptor chooses one. */
export function hlsAes128V1(systemId: SystemId): DrmSystem {
  return hlsKeyUrl('HLS AES-128 (SPEKE 1.0)', systemId, {
    commonEncryptionSchemes: ['cbc1'],
    spekeMajors: [1],
    signal: signalHlsAes128,
  })
}

/** A row for an HLS key that players fetch as 16 raw bytes. @see RFC 8216, 5 */
function hlsKeyUrl(
  name: string,
  systemId: SystemId,
  facts: Pick<DrmSystem, 'commonEncryptionSchemes' | 'signal'> & Partial<DrmSystem>,
): DrmSystem {
  return {
    name,
    systemId,
    contentKeyClass: 'clear',
    spekeMajors: [1, 2],
    fills: { 1: KEY_URL, 2: HLS },
    keyFormat: 'identity',
    attributeOrder: URI_SECOND,
    ...facts,
  }
}

function named(name: string, systemId: string, facts: Partial<DrmSystemFacts> = {}): DrmSystemFacts {
  return { name, systemId: systemIdOf(systemId), ...facts }
}

function byId<System extends DrmSystemFacts>(systems: readonly System[]): ReadonlyMap<SystemId, System> {
  return new Map(systems.map((system) => [system.systemId, system]))
}
