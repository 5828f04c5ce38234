import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'

/** The status words of the Widevine API that this server uses. */
export type WidevineStatus =
  | 'OK'
  | 'SIGNATURE_FAILED'
  | 'CONTENT_ID_MISSING'
  | 'TRACK_TYPE_MISSING'
  | 'TRACK_TYPE_UNKNOWN'
  | 'NO_REQUESTED_CRYPTO_PERIODS'
  | 'KEY_ID_MISMATCH'
  | 'MALFORMED_REQUEST'
  | 'ACCESS_DENIED'
  | 'INTERNAL_ERROR'

/** An error with a status word of the API. */
export class WidevineRequestError extends KeyProviderError {
  override readonly name = 'WidevineRequestError'
  readonly status: WidevineStatus

  constructor(status: WidevineStatus, problem: string, options?: ErrorOptions) {
    const code = status === 'SIGNATURE_FAILED' ? 'ERR_UNAUTHENTICATED' : 'ERR_WIDEVINE_REQUEST_REFUSED'
    super(code, `${status}: ${problem}`, options)
    this.status = status
  }
}

/** The status word of an error. Packagers retry only after INTERNAL_ERROR. */
export function statusOf(error: unknown): WidevineStatus {
  if (error instanceof WidevineRequestError) return error.status
  return (error instanceof KeyProviderError ? STATUS_OF[error.code] : undefined) ?? 'INTERNAL_ERROR'
}

const STATUS_OF: Partial<Record<ErrorCode, WidevineStatus>> = {
  ERR_CONTENT_GONE: 'ACCESS_DENIED',
  ERR_FORBIDDEN: 'ACCESS_DENIED',
  ERR_UNAUTHENTICATED: 'SIGNATURE_FAILED',
  ERR_KID_CONFLICT: 'KEY_ID_MISMATCH',
}
