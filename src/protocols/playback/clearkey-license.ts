import { KeyProviderError } from '../../core/errors.ts'
import { type Kid, kidOfBytes, uuidBytes } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import { keyGuardsDrm, keyNotFound } from './key-delivery.ts'
import type { FindPlayerKeys } from './player-keys.ts'

/** A licence request of the Clear Key CDM. @see https://www.w3.org/TR/encrypted-media-2/#clear-key-request-format */
export interface LicenseRequest {
  /** Distinct, at least one. */
  readonly kids: readonly Kid[]
  readonly type: SessionType
}

/** The session types of EME that Clear Key has. */
export const SESSION_TYPES = ['temporary', 'persistent-license'] as const
export type SessionType = (typeof SESSION_TYPES)[number]

/** What a licence request may be at most: one with all kids allowed, each on a generous line. */
export const MAX_LICENSE_REQUEST_BYTES = 16 * 1024
const MAX_KIDS = 128

/**
 * The request in `bytes`. Lenient where players differ: kids padded or not, in the alphabet of base64 or base64url, `type` left
 * out. Throws ERR_LICENSE_REQUEST_INVALID, ERR_BODY_TOO_LARGE.
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
export interface LicenseKey {
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

/** Issues the licence for those of `kids` that have a key a player may have. */
export type IssueLicense = (ref: ContentRef, kids: readonly Kid[], type: SessionType) => Promise<string>

/** Issues licences. Throws ERR_KEY_NOT_FOUND or ERR_KEY_GUARDS_DRM when no key is left, ERR_CONTENT_GONE, ERR_STORE_UNAVAILABLE. */
export function clearKeyLicenses(findPlayerKeys: FindPlayerKeys): IssueLicense {
  return async (ref, kids, type) => {
    const found = await findPlayerKeys(ref, kids)
    const keys = found.filter((one) => one.contentKey !== undefined)
    if (keys.length > 0) return writeLicense(keys, type)
    throw found.some((one) => one.contentKey === undefined && one.lack === 'drm') ? keyGuardsDrm() : keyNotFound()
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true })

/** The members of the JSON object in `bytes`; a byte order mark before it does not matter. */
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
