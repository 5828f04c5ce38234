import type { Cpix } from '../../formats/cpix/document.ts'
import { SpekeError } from './error.ts'
import type { SpekePolicy } from './profile.ts'
import { SPEKE_1_0, SPEKE_2_0, SPEKE_VERSIONS, type SpekeVersion } from './tables/versions.ts'

/** The version that X-Speke-Version names; absent means 1.0. Its value alone decides, on every path. @see speke.md 1 */
export function readSpekeVersion(header: string | undefined): SpekeVersion {
  const version = header === undefined ? SPEKE_1_0 : SPEKE_VERSIONS.get(header.trim())
  if (version === undefined)
    throw new SpekeError('ERR_SPEKE_VERSION_UNSUPPORTED', { detail: 'X-Speke-Version is none of 1.0, 2.0, 2.1' })
  return version
}

/**
 * The version a document is read as, once it and the header agree. @see speke.md 1, A-01, A-02
 */
export function agreeOnVersion(
  header: string | undefined,
  cpix: Cpix,
  policy: Pick<SpekePolicy, 'missingVersionHeader'>,
): SpekeVersion {
  const named = readSpekeVersion(header)
  if (named.major === 2) {
    if (!cpix.version) throw new SpekeError('ERR_SPEKE_CPIX_VERSION_MISSING')
    if (cpix.version === named.cpixVersion) return named
    throw unsupportedCpixVersion(`X-Speke-Version ${named.header} goes with CPIX@version ${named.cpixVersion}`)
  }
  if (cpix.version === undefined && cpix.contentId === undefined) return named
  if (header !== undefined && cpix.version !== undefined) throw unsupportedCpixVersion('SPEKE 1.0 has no CPIX@version')
  if (header === undefined && policy.missingVersionHeader === 'assume-2.0')
    return agreeOnVersion(SPEKE_2_0.header, cpix, policy)
  const detail = 'the document is of SPEKE 2 but X-Speke-Version is not: has a proxy dropped the header?'
  throw new SpekeError('ERR_SPEKE_VERSION_UNSUPPORTED', { detail })
}

function unsupportedCpixVersion(detail: string): SpekeError {
  return new SpekeError('ERR_SPEKE_CPIX_VERSION_UNSUPPORTED', { detail })
}
