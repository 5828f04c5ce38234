import { matchesPattern } from '../../core/glob.ts'
import { type SystemId, toSystemId } from '../../formats/cenc.ts'
import { problemsOfSettings } from '../../formats/drm/settings-problems.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { DEFAULT_PROFILE, MEDIAPACKAGE_V2_PROFILE, type SignalingProfile } from '../../protocols/speke/profile.ts'
import type { WrittenSignalingProfile } from './schema.ts'

/** The profiles that need no configuration. */
export const SHIPPED_PROFILES: readonly SignalingProfile[] = [DEFAULT_PROFILE, MEDIAPACKAGE_V2_PROFILE]

/** A rule that gives the contents whose id fits `contentId`, where `*` stands for any text, a profile. */
export interface ContentRule {
  readonly contentId: string
  readonly signalingProfile: string
}

/** The shipped profiles and the written ones. A written one changes what it names in the shipped one of its name, or in `default`. */
export function toProfiles(
  written: Readonly<Record<string, WrittenSignalingProfile>>,
  systems: readonly DrmSystem[],
  report: (path: string, problem: string) => void,
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

/** Chooses the profile of a content: that of the first rule it fits, else `fallback`. */
export function profileChooser(
  profiles: ReadonlyMap<string, SignalingProfile>,
  fallback: string,
  rules: readonly ContentRule[],
): (contentId: string) => SignalingProfile {
  const named = (name: string): SignalingProfile => profiles.get(name) ?? DEFAULT_PROFILE
  const chosen = named(fallback)
  if (rules.length === 0) return () => chosen
  const compiled = rules.map(({ contentId, signalingProfile }) => ({
    pattern: contentId,
    profile: named(signalingProfile),
  }))
  return (contentId) => compiled.find(({ pattern }) => matchesPattern(pattern, contentId))?.profile ?? chosen
}

type Given<T> = { [K in keyof T]: Exclude<T[K], undefined> }

/** The members that are there: a member left out must not hide the one it would change. */
function given<T extends object>(changes: T | undefined): Given<T> {
  return Object.fromEntries(Object.entries(changes ?? {}).filter(([, value]) => value !== undefined)) as Given<T>
}

function mapValues<T, U>(values: Readonly<Record<string, T>> = {}, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]))
}
