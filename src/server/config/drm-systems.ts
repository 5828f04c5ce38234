import { KeyProviderError } from '../../core/errors.ts'
import type { SystemId } from '../../formats/cenc.ts'
import { DRM_SYSTEMS, HLS_AES_128, HLS_AES_128_OF_AWS, hlsAes128V1 } from '../../formats/drm/facts.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { type DrmSystemTemplate, drmSystemFromTemplate } from '../../formats/drm/template/system.ts'
import type { FindDrmSystem } from '../../protocols/speke/schemes.ts'

/** The systems of this build, those that configuration describes, and HLS AES-128 under more ids for SPEKE 1.0. */
export function toDrmSystems(
  described: readonly DrmSystemTemplate[],
  hlsAes128SystemIds: readonly SystemId[],
  report: (path: string, problem: string) => void,
): ReadonlyMap<SystemId, DrmSystem> {
  const systems = new Map(DRM_SYSTEMS)
  const add = (path: string, system: DrmSystem): void => {
    if (systems.has(system.systemId)) report(path, `is the id of ${systems.get(system.systemId)?.name} already`)
    else systems.set(system.systemId, system)
  }
  for (const [i, template] of described.entries()) {
    try {
      add(`drmSystems.${i}.systemId`, drmSystemFromTemplate(template))
    } catch (error) {
      if (!(error instanceof KeyProviderError && error.code === 'ERR_CONFIG_INVALID')) throw error
      report(`drmSystems.${i}`, error.message)
    }
  }
  for (const [i, systemId] of hlsAes128SystemIds.entries()) {
    // They are there already: naming them again changes nothing.
    if (systemId === HLS_AES_128_OF_AWS || systemId === HLS_AES_128) continue
    add(`speke.hlsAes128SystemIds.${i}`, hlsAes128V1(systemId))
  }
  return systems
}

/** Finds the system of an id among those that a SPEKE major may name. */
export function drmSystemFinder(systems: ReadonlyMap<SystemId, DrmSystem>): FindDrmSystem {
  return (systemId, major) => {
    const system = systems.get(systemId)
    return system?.spekeMajors.includes(major) ? system : undefined
  }
}
