import type { Cpix } from '../../formats/cpix/document.ts'
import { SpekeError } from './error.ts'
import type { SpekePolicy } from './profile.ts'
import { SPEKE_1_0, SPEKE_2_0, SPEKE_VERSIONS, type SpekeVersion } from './tables/versions.ts'

/**
 * The version that the X-Speke-Version header names, on every path; 1.0 without the header. Throws ERR_SPEKE_VERSION_UNSUPPORTED.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api-v2.html
 */
export function readSpekeVersion(header: string | undefined): SpekeVersion {
  const version = header === undefined ? SPEKE_1_0 : SPEKE_VERSIONS.get(header.trim())
  if (version === undefined) {
    throw new SpekeError('ERR_SPEKE_VERSION_UNSUPPORTED', {
      detail: 'X-Speke-Version: expected 1.0, 2.0 or 2.1. Set the version in the encryptor.',
    })
  }
  return version
}

/** The version of a document, which must agree with the header. */
export function agreeOnVersion(
  header: string | undefined,
  cpix: Cpix,
  policy: Pick<SpekePolicy, 'missingVersionHeader'>,
): SpekeVersion {
  const named = readSpekeVersion(header)
  if (named.major === 2) {
    if (!cpix.version) throw new SpekeError('ERR_SPEKE_CPIX_VERSION_MISSING', { detail: PLAIN_CPIX })
    if (cpix.version === named.cpixVersion) return named
    throw unsupportedCpixVersion(`X-Speke-Version ${named.header} requires CPIX/@version ${named.cpixVersion}.`)
  }
  // Some encryptors of SPEKE 1.0 send contentId too.
  if (cpix.version === undefined && (cpix.contentId === undefined || cpix.id !== undefined)) return named
  if (header !== undefined && cpix.version !== undefined) {
    throw unsupportedCpixVersion('CPIX/@version: SPEKE 1.0 does not have this attribute. Send X-Speke-Version 2.0.')
  }
  if (header === undefined && policy.missingVersionHeader === 'assume-2.0') {
    return agreeOnVersion(SPEKE_2_0.header, cpix, policy)
  }
  throw new SpekeError('ERR_SPEKE_VERSION_UNSUPPORTED', {
    detail:
      cpix.version === undefined
        ? PLAIN_CPIX
        : 'the document is SPEKE 2, but X-Speke-Version is missing or 1.0. Check that no proxy drops the header, or set speke.missingVersionHeader.',
  })
}

const PLAIN_CPIX =
  'the document has no CPIX/@version: it is CPIX, but not SPEKE. POST it to /copyProtectionData/{contentId}, or add version and X-Speke-Version.'

function unsupportedCpixVersion(detail: string): SpekeError {
  return new SpekeError('ERR_SPEKE_CPIX_VERSION_UNSUPPORTED', { detail })
}
