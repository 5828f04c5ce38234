import { KeyProviderError } from '../../core/errors.ts'
import type { CommonEncryptionScheme, Kid, SystemId } from '../../formats/cenc.ts'
import type { ContentKey } from '../../formats/cpix/content-key.ts'
import type { DrmSystemRequest } from '../../formats/cpix/drm-system.ts'
import type { DrmSystem } from '../../formats/drm/system.ts'
import { pathOf } from '../../formats/xml/reader.ts'
import { SpekeError } from './error.ts'
import type { SpekeVersion } from './tables/versions.ts'

/** The system of an id in a SPEKE major, or undefined when this server cannot signal it. */
export type FindDrmSystem = (systemId: SystemId, major: 1 | 2) => DrmSystem | undefined

/** What a message may quote: too short for a key in hex or base64. */
const SHOWN = /^[A-Za-z0-9_-]{1,16}$/

/** The scheme of each key. SPEKE 1.0 names none. @see speke.md 3 (E4), 4.3 */
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
      const got = SHOWN.test(name) ? `, not ${name}` : ''
      const expected = Object.keys(version.schemes).join(', ')
      const where = `${pathOf(element)}/@commonEncryptionScheme`
      throw new KeyProviderError(
        'ERR_SPEKE_SCHEME_UNKNOWN',
        `${where}: SPEKE ${version.header} takes ${expected}${got}`,
      )
    }
    schemes.set(kid, scheme)
  }
  return schemes
}

/** One document, one scheme. @see speke.md 3, E5 */
export function refuseMixedSchemes(keys: readonly ContentKey[]): void {
  if (new Set(keys.map(({ commonEncryptionScheme }) => commonEncryptionScheme)).size > 1) {
    throw new SpekeError('ERR_SPEKE_SCHEME_COMBINATION')
  }
}

/** The systems that signal for the request. Refuses one that is unknown or cannot take its key's scheme. @see speke.md 7; 3, E6 */
export function refuseUnsupportedSystems(
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
        `${pathOf(request.element)}/@systemId: this server cannot signal the DRM system ${request.systemIdText}; a template for it can be configured as drmSystems`,
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
  return `${name} takes ${commonEncryptionSchemes.join(', ')}`
}
