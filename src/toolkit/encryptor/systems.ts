import { KeyProviderError } from '../../core/errors.ts'
import { type SystemId, toSystemId } from '../../formats/cenc.ts'
import { DRM_SYSTEM_FACTS } from '../../formats/drm/facts.ts'
import type { SlotsByMajor } from '../../formats/drm/system.ts'

/** A DRM system as an encryptor asks for it. */
export interface EncryptorSystem {
  readonly name: string
  readonly systemId: SystemId
  /** What SPEKE 1.0 and SPEKE 2 ask of it; empty: this major does not know it. @see speke.md 5.2 */
  readonly slots: SlotsByMajor
}

const SYSTEMS: readonly EncryptorSystem[] = [...DRM_SYSTEM_FACTS.values()].flatMap(
  ({ option, systemId, fills, asks = fills }) =>
    option === undefined || asks === undefined ? [] : [{ name: option, systemId, slots: asks }],
)

/** What a request asks of a system that is known by its ID only. */
const UNKNOWN_SYSTEM_SLOTS: SlotsByMajor = { 1: ['PSSH'], 2: ['ContentProtectionData', 'PSSH'] }

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
    return { name: systemId, systemId, slots: UNKNOWN_SYSTEM_SLOTS }
  }
  const fitting = known.find(({ slots }) => slots[major].length > 0)
  if (fitting === undefined) throw wrong(`SPEKE ${major} does not know the DRM system ${text}`)
  return fitting
}

function wrong(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_USAGE_INVALID', problem)
}
