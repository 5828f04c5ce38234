import { wrongUsage } from '../../core/errors.ts'
import { type SystemId, toSystemId } from '../../formats/cenc.ts'
import { DRM_SYSTEM_FACTS } from '../../formats/drm/facts.ts'
import type { SlotsByMajor } from '../../formats/drm/system.ts'

/** A DRM system in a request. */
export interface EncryptorSystem {
  readonly name: string
  readonly systemId: SystemId
  /** The children of DRMSystem in SPEKE 1.0 and SPEKE 2. Empty if the version does not support the system. */
  readonly slots: SlotsByMajor
}

const SYSTEMS: readonly EncryptorSystem[] = [...DRM_SYSTEM_FACTS.values()].flatMap(
  ({ option, systemId, fills, asks = fills }) =>
    option === undefined || asks === undefined ? [] : [{ name: option, systemId, slots: asks }],
)

/** The children of DRMSystem for a system without a known name. */
const UNKNOWN_SYSTEM_SLOTS: SlotsByMajor = { 1: ['PSSH'], 2: ['ContentProtectionData', 'PSSH'] }

/** The names that `--drm` accepts besides any UUID. */
export const SYSTEM_NAMES: readonly string[] = [...new Set(SYSTEMS.map(({ name }) => name))]

/** Returns the systems of a list of names or UUIDs. Throws ERR_USAGE_INVALID for an unknown name, a duplicate, or a system that the SPEKE version does not support. */
export function systemsOf(names: readonly string[], major: 1 | 2): readonly EncryptorSystem[] {
  const systems = names.map((text) => systemOf(text.trim().toLowerCase(), major))
  const twice = systems.find(({ systemId }, i) => systems.findIndex((other) => other.systemId === systemId) !== i)
  if (twice !== undefined) throw wrongUsage(`the DRM system ${twice.name} occurs twice`)
  if (systems.length === 0) throw wrongUsage('expected at least one DRM system')
  return systems
}

/** Returns the name of a system ID, or the ID itself. */
export function systemName(systemId: SystemId): string {
  return SYSTEMS.find((one) => one.systemId === systemId)?.name ?? systemId
}

function systemOf(text: string, major: 1 | 2): EncryptorSystem {
  const systemId = toSystemId(text)
  const known = SYSTEMS.filter(({ name, systemId: id }) => name === text || id === systemId)
  if (known.length === 0) {
    if (systemId === undefined) throw wrongUsage(`a DRM system must be one of ${SYSTEM_NAMES.join(', ')} or a UUID`)
    return { name: systemId, systemId, slots: UNKNOWN_SYSTEM_SLOTS }
  }
  const fitting = known.find(({ slots }) => slots[major].length > 0)
  if (fitting === undefined)
    throw wrongUsage(
      `SPEKE ${major} does not support the DRM system ${text}: remove it from --drm, or choose another --speke`,
    )
  return fitting
}
