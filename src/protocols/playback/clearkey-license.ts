import { KeyProviderError } from '../../core/errors.ts'
import { type Kid, kidOfBytes, uuidBytes } from '../../formats/cenc.ts'

/** A licence request of the Clear Key CDM. @see https://www.w3.org/TR/encrypted-media-2/#clear-key-request-format */
interface LicenseRequest {
  /** At least one, without duplicates. */
  readonly kids: readonly Kid[]
  readonly type: SessionType
}

/** The session types of EME that Clear Key has. */
const SESSION_TYPES = ['temporary', 'persistent-license'] as const
export type SessionType = (typeof SESSION_TYPES)[number]

/** Enough for the largest number of kids, each on a long line. */
export const MAX_LICENSE_REQUEST_BYTES = 16 * 1024
const MAX_KIDS = 128

/**
 * Reads a licence request. Accepts what players send: kids with or without padding, in base64 or base64url, and no `type`. Throws
 * ERR_LICENSE_REQUEST_INVALID, ERR_BODY_TOO_LARGE.
 */
export function readLicenseRequest(bytes: Uint8Array): LicenseRequest {
  if (bytes.length > MAX_LICENSE_REQUEST_BYTES) {
    throw new KeyProviderError(
      'ERR_BODY_TOO_LARGE',
      `the body is too large: expected at most ${MAX_LICENSE_REQUEST_BYTES} bytes`,
    )
  }
  const { kids, type = 'temporary' } = readJson(bytes)
  const sessionType = SESSION_TYPES.find((known) => known === type)
  if (sessionType === undefined) throw invalid(`type: expected ${SESSION_TYPES.join(' or ')}`)
  if (!Array.isArray(kids) || kids.length === 0) throw invalid('kids: expected a list of key ids')
  if (kids.length > MAX_KIDS) throw invalid(`kids: expected at most ${MAX_KIDS}, got ${kids.length}`)
  return { kids: [...new Set(kids.map(readKid))], type: sessionType }
}

/** A content key and its kid, as a licence carries them. */
interface LicenseKey {
  readonly kid: Kid
  readonly contentKey: Uint8Array
}

/** A licence in JSON. @see https://www.w3.org/TR/encrypted-media-2/#clear-key-license-format */
export function writeLicense(keys: readonly LicenseKey[], type: SessionType): string {
  return JSON.stringify({
    keys: keys.map(({ kid, contentKey }) => ({ kty: 'oct', kid: base64url(uuidBytes(kid)), k: base64url(contentKey) })),
    type,
  })
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The members of the JSON object in `bytes`, which may start with a byte order mark. */
function readJson(bytes: Uint8Array): { readonly kids?: unknown; readonly type?: unknown } {
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(bytes))
  } catch (cause) {
    throw invalid('expected JSON', cause)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('expected an object')
  return value
}

const SIXTEEN_BYTES = /^[A-Za-z0-9+/_-]{22}(?:==?)?$/

function readKid(text: unknown): Kid {
  if (typeof text !== 'string' || !SIXTEEN_BYTES.test(text)) {
    throw invalid('kids: expected key ids of 16 bytes in base64url')
  }
  return kidOfBytes(Buffer.from(text, 'base64url'))
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url')
}

function invalid(problem: string, cause?: unknown): KeyProviderError {
  return new KeyProviderError('ERR_LICENSE_REQUEST_INVALID', `licence request: ${problem}`, { cause })
}
