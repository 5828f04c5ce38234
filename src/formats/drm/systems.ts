import { KeyProviderError } from '../../core/errors.ts'
import type { SystemId } from '../cenc.ts'
import type { DrmSystem } from './system.ts'
import { clearKey } from './systems/clearkey.ts'
import { commonPssh } from './systems/common-pssh.ts'
import { fairplay } from './systems/fairplay.ts'
import { hlsAes128, hlsAes128OfAws } from './systems/hls-aes-128.ts'
import { hlsSampleAes } from './systems/hls-sample-aes.ts'
import { playready } from './systems/playready.ts'
import { widevine } from './systems/widevine.ts'

/** The systems this build can signal. @see speke.md 7, 15 */
export const DRM_SYSTEMS: ReadonlyMap<SystemId, DrmSystem> = mapOf([
  widevine,
  playready,
  fairplay,
  hlsAes128,
  hlsAes128OfAws,
  hlsSampleAes,
  commonPssh,
  clearKey,
])

/** Those and `extra` ones. Throws ERR_CONFIG_INVALID when two have the same id. */
export function withSystems(extra: readonly DrmSystem[]): ReadonlyMap<SystemId, DrmSystem> {
  return mapOf([...DRM_SYSTEMS.values(), ...extra])
}

function mapOf(systems: readonly DrmSystem[]): ReadonlyMap<SystemId, DrmSystem> {
  const byId = new Map<SystemId, DrmSystem>()
  for (const system of systems) {
    const other = byId.get(system.systemId)
    if (other !== undefined) {
      throw new KeyProviderError(
        'ERR_CONFIG_INVALID',
        `DRM system ${system.name}: ${system.systemId} is the id of ${other.name} already`,
      )
    }
    byId.set(system.systemId, system)
  }
  return byId
}
