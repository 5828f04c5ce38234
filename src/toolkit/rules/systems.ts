import { type SystemId, systemIdOf } from '../../formats/cenc.ts'

/** The children of DRMSystem that carry a value, by what they carry. */
export type SlotKind =
  | 'pssh'
  | 'contentProtectionData'
  | 'hlsMedia'
  | 'hlsMaster'
  | 'smooth'
  | 'uriExtXKey'
  | 'keyFormat'
  | 'keyFormatVersions'
  | 'protectionHeader'

/** What is known of a system's signalling. @see speke.md 5.2 */
export interface SystemFacts {
  readonly name: string
  readonly systemId: SystemId
  /** What must be filled where a request holds it, in SPEKE 1.0 and 2. */
  readonly fills: Readonly<Record<1 | 2, readonly SlotKind[]>>
  /** KEYFORMAT of its HLS line. */
  readonly keyFormat?: string
  /** The order of attributes in the guide of MediaPackage. */
  readonly attributeOrder?: readonly string[]
}

const HLS: readonly SlotKind[] = ['hlsMedia', 'hlsMaster']
const BOX: readonly SlotKind[] = ['pssh', 'contentProtectionData']
const KEY_URL: readonly SlotKind[] = ['uriExtXKey', 'keyFormat', 'keyFormatVersions']
const URI_SECOND = ['METHOD', 'URI', 'KEYFORMAT', 'KEYFORMATVERSIONS']

export const WIDEVINE = systemIdOf('edef8ba9-79d6-4ace-a3c8-27dcd51d21ed')
export const PLAYREADY = systemIdOf('9a04f079-9840-4286-ab92-e65be0885f95')
export const FAIRPLAY = systemIdOf('94ce86fb-07ff-4f43-adb8-93d2fa968ca2')
export const COMMON_PSSH = systemIdOf('1077efec-c0b2-4d02-ace3-3c1e52e2fb4b')

const FACTS: readonly SystemFacts[] = [
  {
    name: 'Widevine',
    systemId: WIDEVINE,
    fills: { 1: ['pssh'], 2: [...BOX, ...HLS] },
    keyFormat: `urn:uuid:${WIDEVINE}`,
    attributeOrder: URI_SECOND,
  },
  {
    name: 'PlayReady',
    systemId: PLAYREADY,
    fills: { 1: ['pssh', 'protectionHeader'], 2: [...BOX, ...HLS, 'smooth'] },
    keyFormat: 'com.microsoft.playready',
    attributeOrder: ['METHOD', 'KEYFORMAT', 'KEYFORMATVERSIONS', 'URI'],
  },
  {
    name: 'FairPlay',
    systemId: FAIRPLAY,
    fills: { 1: KEY_URL, 2: HLS },
    keyFormat: 'com.apple.streamingkeydelivery',
    attributeOrder: URI_SECOND,
  },
  keyUrlSystem('HLS AES-128', '3ea8778f-7742-4bf9-b18b-e834b2acbd47'),
  keyUrlSystem('HLS AES-128', '81376844-f976-481e-a84e-cc25d39b0b33'),
  keyUrlSystem('HLS SAMPLE-AES', 'be58615b-19c4-4684-88b3-c8c57e99e957'),
  { name: 'W3C Common PSSH', systemId: COMMON_PSSH, fills: { 1: ['pssh'], 2: BOX } },
  {
    name: 'DASH-IF ClearKey',
    systemId: systemIdOf('e2719d58-a985-b3c9-781a-b030af78d30e'),
    fills: { 1: [], 2: ['contentProtectionData'] },
  },
]

/** What is known of the systems that are known. */
export const SYSTEM_FACTS: ReadonlyMap<SystemId, SystemFacts> = new Map(FACTS.map((facts) => [facts.systemId, facts]))

function keyUrlSystem(name: string, id: string): SystemFacts {
  return {
    name,
    systemId: systemIdOf(id),
    fills: { 1: KEY_URL, 2: HLS },
    keyFormat: 'identity',
    attributeOrder: URI_SECOND,
  }
}
