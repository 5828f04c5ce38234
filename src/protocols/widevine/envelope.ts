import { type ErrorCode, KeyProviderError } from '../../core/errors.ts'

/** A request and its signature. `signer` is undefined if the sender names none. */
interface SignedRequest {
  readonly request: Uint8Array
  readonly signature: Uint8Array
  readonly signer: string | undefined
}

/** Many times the size of a request for every track. */
const MAX_ENVELOPE_BYTES = 32 * 1024

/** Reads the envelope of a request. Throws MALFORMED_REQUEST. */
export function readEnvelope(bytes: Uint8Array): SignedRequest {
  if (bytes.length > MAX_ENVELOPE_BYTES) throw malformed(`the body: expected at most ${MAX_ENVELOPE_BYTES} bytes`)
  const { request, signature = '', signer } = readObject(bytes, 'the body')
  if (signer !== undefined && typeof signer !== 'string') throw malformed('signer: expected text')
  return {
    request: readBase64(request, 'request'),
    signature: readBase64(signature, 'signature'),
    signer: signer === '' ? undefined : signer,
  }
}

/** The envelope of an answer. */
export function writeEnvelope(response: unknown): string {
  return JSON.stringify({ response: Buffer.from(JSON.stringify(response)).toString('base64') })
}

/** The JSON object in `bytes`, with unknown members. Throws MALFORMED_REQUEST. */
export function readObject(bytes: Uint8Array, name: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(bytes))
  } catch (cause) {
    throw new WidevineRequestError('MALFORMED_REQUEST', `${name}: expected JSON`, { cause })
  }
  return asObject(value, name)
}

/** `value` as a JSON object. Throws MALFORMED_REQUEST. */
export function asObject(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`${name}: expected an object`)
  return value as Readonly<Record<string, unknown>>
}

/** The bytes of canonical base64. Throws MALFORMED_REQUEST. */
export function readBase64(text: unknown, name: string): Uint8Array {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined
  if (bytes === undefined || bytes.toString('base64') !== text) throw malformed(`${name}: expected base64`)
  return bytes
}

export function malformed(problem: string): WidevineRequestError {
  return new WidevineRequestError('MALFORMED_REQUEST', problem)
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

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
