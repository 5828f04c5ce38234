import { KeyProviderError } from '../../core/errors.ts'
import type { CommonEncryptionScheme, Kid, SystemId } from '../../formats/cenc.ts'
import type { ContentKey } from '../../formats/cpix/content-key.ts'
import type { DrmSystemRequest } from '../../formats/cpix/drm-system.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { pathOf } from '../../formats/xml/reader.ts'
import { SpekeError } from './error.ts'
import type { SpekeVersion } from './tables/versions.ts'

/** Returns the DRM system of an id in a major version of SPEKE; undefined if this server cannot signal it. */
export type FindDrmSystem = (systemId: SystemId, major: 1 | 2) => DrmSystem | undefined

/** The texts that a message may quote: too short for a key in hex or base64. */
const SHOWN = /^[A-Za-z0-9_-]{1,16}$/

/**
 * The scheme of each key. SPEKE 1.0 documents name none. Throws ERR_SPEKE_SCHEME_MISSING, ERR_SPEKE_SCHEME_UNKNOWN.
 */
export function schemesOf(
  version: SpekeVersion,
  keys: readonly ContentKey[],
): ReadonlyMap<Kid, CommonEncryptionScheme> {
  const schemes = new Map<Kid, CommonEncryptionScheme>()
  if (version.major === 1) return schemes
  for (const key of keys) {
    if (!key.commonEncryptionScheme) throw new SpekeError('ERR_SPEKE_SCHEME_MISSING', { of: key.kidText })
  }
  for (const { kid, commonEncryptionScheme: name = '', element } of keys) {
    const scheme = Object.hasOwn(version.schemes, name) ? version.schemes[name] : undefined
    if (scheme === undefined) {
      const got = SHOWN.test(name) ? `, got ${name}` : ''
      const expected = Object.keys(version.schemes).join(', ')
      const where = `${pathOf(element)}/@commonEncryptionScheme`
      throw new KeyProviderError(
        'ERR_SPEKE_SCHEME_UNKNOWN',
        `${where}: expected one of ${expected} for SPEKE ${version.header}${got}. Change the scheme in the encryptor.`,
      )
    }
    schemes.set(kid, scheme)
  }
  return schemes
}

/** Throws ERR_SPEKE_SCHEME_COMBINATION: all keys of a SPEKE 2 document have one scheme. */
export function rejectMixedSchemes(keys: readonly ContentKey[]): void {
  if (new Set(keys.map(({ commonEncryptionScheme }) => commonEncryptionScheme)).size > 1) {
    throw new SpekeError('ERR_SPEKE_SCHEME_COMBINATION')
  }
}

/** The DRM systems of a request. Throws ERR_DRM_SYSTEM_UNKNOWN, and ERR_SPEKE_SCHEME_DRM_SYSTEM for a key's unsupported scheme. */
export function rejectUnsupportedSystems(
  version: SpekeVersion,
  requests: readonly DrmSystemRequest[],
  schemes: ReadonlyMap<Kid, CommonEncryptionScheme>,
  findDrmSystem: FindDrmSystem,
): readonly (DrmSystemRequest & { readonly system: DrmSystem })[] {
  return requests.map((request) => {
    const system = findDrmSystem(request.systemId, version.major)
    if (system === undefined) {
      throw new KeyProviderError(
        'ERR_DRM_SYSTEM_UNKNOWN',
        `${pathOf(request.element)}/@systemId: this server cannot signal the DRM system ${request.systemIdText}. Remove it from the request, or configure a template for it in drmSystems.`,
      )
    }
    const scheme = schemes.get(request.kid)
    if (scheme !== undefined && !system.commonEncryptionSchemes.includes(scheme)) {
      throw new SpekeError('ERR_SPEKE_SCHEME_DRM_SYSTEM', { of: request.systemIdText, detail: describe(system) })
    }
    return { ...request, system }
  })
}

function describe({ name, commonEncryptionSchemes }: DrmSystem): string {
  return `${name} supports ${commonEncryptionSchemes.join(', ')}.`
}
