import { KeyProviderError } from '../../core/errors.ts'
import { type SystemId, systemIdOf, toSystemId } from '../../formats/cenc.ts'

/** The children of DRMSystem by their name, with the prefix that SPEKE 1.0 gives its own. */
export type Slot =
  | 'PSSH'
  | 'ContentProtectionData'
  | 'HLSSignalingData'
  | 'SmoothStreamingProtectionHeaderData'
  | 'URIExtXKey'
  | 'speke:KeyFormat'
  | 'speke:KeyFormatVersions'
  | 'speke:ProtectionHeader'

/** A DRM system as an encryptor asks for it. */
export interface EncryptorSystem {
  readonly name: string
  readonly systemId: SystemId
  /** What SPEKE 1.0 and SPEKE 2 ask of it; empty: this major does not know it. @see speke.md 5.2 */
  readonly slots: Readonly<Record<1 | 2, readonly Slot[]>>
}

const KEY_URL: readonly Slot[] = ['URIExtXKey', 'speke:KeyFormat', 'speke:KeyFormatVersions']
const BOX: readonly Slot[] = ['ContentProtectionData', 'PSSH']

const SYSTEMS: readonly EncryptorSystem[] = [
  system('widevine', 'edef8ba9-79d6-4ace-a3c8-27dcd51d21ed', ['PSSH'], ['HLSSignalingData', ...BOX]),
  system(
    'playready',
    '9a04f079-9840-4286-ab92-e65be0885f95',
    ['speke:ProtectionHeader', 'PSSH'],
    ['HLSSignalingData', ...BOX, 'SmoothStreamingProtectionHeaderData'],
  ),
  system('fairplay', '94ce86fb-07ff-4f43-adb8-93d2fa968ca2', KEY_URL, ['HLSSignalingData']),
  // SPEKE 1.0 and 2 know HLS AES-128 by different ids (speke.md A-26).
  system('aes-128', '81376844-f976-481e-a84e-cc25d39b0b33', KEY_URL, []),
  system('aes-128', '3ea8778f-7742-4bf9-b18b-e834b2acbd47', [], ['HLSSignalingData']),
  system('sample-aes', 'be58615b-19c4-4684-88b3-c8c57e99e957', [], ['HLSSignalingData']),
  system('common-pssh', '1077efec-c0b2-4d02-ace3-3c1e52e2fb4b', BOX, BOX),
  system('clearkey', 'e2719d58-a985-b3c9-781a-b030af78d30e', [], ['ContentProtectionData']),
  system('irdeto', '80a6be7e-1448-4c37-9e70-d5aebe04c8d2', [], BOX),
]

/** The names that `--drm` takes, beside any UUID. */
export const SYSTEM_NAMES: readonly string[] = [...new Set(SYSTEMS.map(({ name }) => name))]

/** The systems of a list of names or UUIDs. Throws ERR_USAGE_INVALID for what is neither, or unknown to this major of SPEKE. */
export function systemsOf(names: readonly string[], major: 1 | 2): readonly EncryptorSystem[] {
  const systems = names.map((text) => systemOf(text.trim().toLowerCase(), major))
  const twice = systems.find(({ systemId }, i) => systems.findIndex((other) => other.systemId === systemId) !== i)
  if (twice !== undefined) throw wrong(`the DRM system ${twice.name} stands twice`)
  if (systems.length === 0) throw wrong('expected at least one DRM system')
  return systems
}

/** The name of a system id, or the id itself. */
export function systemName(systemId: SystemId): string {
  return SYSTEMS.find((one) => one.systemId === systemId)?.name ?? systemId
}

function systemOf(text: string, major: 1 | 2): EncryptorSystem {
  const systemId = toSystemId(text)
  const known = SYSTEMS.filter(({ name, systemId: id }) => name === text || id === systemId)
  if (known.length === 0) {
    if (systemId === undefined) throw wrong(`a DRM system must be one of ${SYSTEM_NAMES.join(', ')} or a UUID`)
    return { name: systemId, systemId, slots: { 1: ['PSSH'], 2: BOX } }
  }
  const fitting = known.find(({ slots }) => slots[major].length > 0)
  if (fitting === undefined) throw wrong(`SPEKE ${major} does not know the DRM system ${text}`)
  return fitting
}

function system(name: string, id: string, v1: readonly Slot[], v2: readonly Slot[]): EncryptorSystem {
  return { name, systemId: systemIdOf(id), slots: { 1: v1, 2: v2 } }
}

function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}
