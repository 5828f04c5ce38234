import type { ErrorCode } from '../../../core/errors.ts'

/**
 * The ten error messages of SPEKE, word for word: encryptors and test suites compare them. `$` is the kid or system ID as the request
 * spells it.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api-v2.html
 */
export const SPEKE_REFUSALS = {
  ERR_SPEKE_CONTENT_ID_MISSING: 'Missing CPIX@contentId',
  ERR_SPEKE_CPIX_VERSION_MISSING: 'Missing CPIX@version',
  ERR_SPEKE_CPIX_VERSION_UNSUPPORTED: 'Unsupported CPIX@version',
  ERR_SPEKE_SCHEME_MISSING: 'Missing ContentKey@commonEncryptionScheme for KID $',
  ERR_SPEKE_SCHEME_COMBINATION: 'Non compliant ContentKey@commonEncryptionScheme combination',
  ERR_SPEKE_SCHEME_DRM_SYSTEM: 'ContentKey@commonEncryptionScheme non compatible with DRMSystem $',
  ERR_SPEKE_VERSION_UNSUPPORTED: 'Unsupported SPEKE version',
  ERR_SPEKE_CONTRACT_MALFORMED: 'Malformed encryption contract',
  ERR_SPEKE_CONTRACT_UNSUPPORTED: 'Requested CPIX encryption contract not supported',
  ERR_SPEKE_CONTRACT_MISSING: 'Missing CPIX encryption contract',
} as const satisfies Partial<Record<ErrorCode, string>>

export type SpekeRefusal = keyof typeof SPEKE_REFUSALS
