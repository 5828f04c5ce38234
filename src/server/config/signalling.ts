import { KeyProviderError } from '../../core/errors.ts'
import { matchesPattern } from '../../core/glob.ts'
import { type SystemId, toSystemId } from '../../formats/cenc.ts'
import { DRM_SYSTEMS, HLS_AES_128, HLS_AES_128_OF_AWS, hlsAes128V1 } from '../../formats/drm/facts.ts'
import { problemsOfSettings } from '../../formats/drm/settings-problems.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { type DrmSystemTemplate, drmSystemFromTemplate } from '../../formats/drm/template/system.ts'
import { DEFAULT_PROFILE, MEDIAPACKAGE_V2_PROFILE, type SignalingProfile } from '../../protocols/speke/profile.ts'
import type { FindDrmSystem } from '../../protocols/speke/schemes.ts'
import type { ReportProblem } from './fields.ts'
import type { WrittenSignalingProfile } from './shapes.ts'

/** The profiles that need no configuration. */
const SHIPPED_PROFILES: readonly SignalingProfile[] = [DEFAULT_PROFILE, MEDIAPACKAGE_V2_PROFILE]

/** Gives a profile to the contents whose ID matches `contentId`; `*` is any text. */
export interface ContentRule {
  readonly contentId: string
  readonly signalingProfile: string
}

/** The shipped and the configured profiles. A configured one changes members of the shipped one of its name, or of `default`. */
export function toProfiles(
  written: Readonly<Record<string, WrittenSignalingProfile>>,
  systems: readonly DrmSystem[],
  report: ReportProblem,
): ReadonlyMap<string, SignalingProfile> {
  const profiles = new Map(SHIPPED_PROFILES.map((profile) => [profile.name, profile]))
  for (const [name, changes] of Object.entries(written)) {
    const base = profiles.get(name) ?? DEFAULT_PROFILE
    const bySystem = <T>(member: string, settings: Readonly<Record<string, T>> = {}): Record<SystemId, T> => {
      const byId: Record<SystemId, T> = {}
      for (const [system, setting] of Object.entries(settings)) {
        const systemId =
          toSystemId(system) ?? systems.find(({ name }) => name.toLowerCase() === system.toLowerCase())?.systemId
        if (systemId === undefined) {
          report(`signalingProfiles.${name}.${member}.${system}`, 'expected the name or the id of a DRM system')
        } else byId[systemId] = setting
      }
      return byId
    }
    const settings = {
      widevine: { ...base.settings.widevine, ...given(changes.widevine) },
      playready: { ...base.settings.playready, ...given(changes.playready) },
      fairplay: { ...base.settings.fairplay, ...given(changes.fairplay) },
      hls: { ...base.settings.hls, ...given(changes.hls) },
    }
    for (const problem of problemsOfSettings(settings)) report(`signalingProfiles.${name}`, problem)
    profiles.set(name, {
      name,
      settings,
      explicitIv: changes.explicitIv ?? base.explicitIv,
      v1: { ...base.v1, ...given(changes.v1) },
      hdcp: { ...base.hdcp, ...mapValues(changes.hdcp, given) },
      robustness: { ...base.robustness, ...bySystem('robustness', changes.robustness) },
      allowedCpc: { ...base.allowedCpc, ...bySystem('allowedCpc', changes.allowedCpc) },
    })
  }
  return profiles
}

/** Chooses the profile of a content: that of the first rule that matches, else `standard`. */
export function profileChooser(
  profiles: ReadonlyMap<string, SignalingProfile>,
  standard: string,
  rules: readonly ContentRule[],
): (contentId: string) => SignalingProfile {
  const named = (name: string): SignalingProfile => profiles.get(name) ?? DEFAULT_PROFILE
  return (contentId) =>
    named(rules.find((rule) => matchesPattern(rule.contentId, contentId))?.signalingProfile ?? standard)
}

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** The members that are set: a missing member must not replace the one of the base. */
function given<T extends object>(changes: T | undefined): Given<T> {
  return Object.fromEntries(Object.entries(changes ?? {}).filter(([, value]) => value !== undefined)) as Given<T>
}

function mapValues<T, U>(values: Readonly<Record<string, T>> = {}, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]))
}

/** The built-in DRM systems, those described by template, and HLS AES-128 under further IDs for SPEKE 1.0. */
export function toDrmSystems(
  described: readonly DrmSystemTemplate[],
  hlsAes128SystemIds: readonly SystemId[],
  report: ReportProblem,
): ReadonlyMap<SystemId, DrmSystem> {
  const systems = new Map(DRM_SYSTEMS)
  const add = (path: string, system: DrmSystem): void => {
    if (systems.has(system.systemId)) report(path, `is the ID of ${systems.get(system.systemId)?.name} already`)
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
    // These are built in.
    if (systemId === HLS_AES_128_OF_AWS || systemId === HLS_AES_128) continue
    add(`speke.hlsAes128SystemIds.${i}`, hlsAes128V1(systemId))
  }
  return systems
}

/** Finds a system by its ID among those that a major version of SPEKE may name. */
export function drmSystemFinder(systems: ReadonlyMap<SystemId, DrmSystem>): FindDrmSystem {
  return (systemId, major) => {
    const system = systems.get(systemId)
    return system?.spekeMajors.includes(major) ? system : undefined
  }
}
