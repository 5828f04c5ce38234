import { COMMON_ENCRYPTION_SCHEMES, type CommonEncryptionScheme } from '../../formats/cenc.ts'
import { fourCc } from '../../formats/drm/payloads/widevine-pssh-data.ts'
import { asObject, malformed, readBase64, readObject, WidevineRequestError } from './envelope.ts'

/** The track types of the API; each has a key of its own. */
export const TRACK_TYPES = ['SD', 'HD', 'UHD1', 'UHD2', 'AUDIO'] as const
export type TrackType = (typeof TRACK_TYPES)[number]

/** A request of a packager. Members are named after those of the Widevine Common Encryption API. */
export interface ContentKeyRequest {
  readonly contentId: string
  /** At least one, without duplicates, in the order of the request. */
  readonly trackTypes: readonly TrackType[]
  readonly protectionScheme: CommonEncryptionScheme
  /** The crypto periods in order; one `undefined` for a content whose keys do not rotate. */
  readonly cryptoPeriods: readonly (number | undefined)[]
}

const MAX_CRYPTO_PERIODS = 64
const MAX_TRACKS = 64
const MAX_UINT32 = 0xffffffff

/** Reads a request. Rejects unsupported members if ignoring them would give other keys than requested. */
export function readContentKeyRequest(bytes: Uint8Array): ContentKeyRequest {
  const request = readObject(bytes, 'request')
  if (request.enable_entitlement_license === true)
    throw malformed('enable_entitlement_license: not supported. Remove it.')
  requireWidevine(request.drm_types)
  return {
    contentId: readContentId(request.content_id),
    trackTypes: readTrackTypes(request.tracks),
    protectionScheme: readProtectionScheme(request.protection_scheme),
    cryptoPeriods: readCryptoPeriods(request.first_crypto_period_index, request.crypto_period_count),
  }
}

const MAX_CONTENT_ID = 256
const UTF8 = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true })

/**
 * A content ID is bytes here and text in SPEKE. Bytes that are text become that text, so that both APIs name the same content. Other
 * bytes, and text that starts with `~`, become `~` and their base64url form. So two IDs never become one.
 */
function readContentId(base64: unknown): string {
  const bytes = base64 === undefined ? new Uint8Array() : readBase64(base64, 'content_id')
  if (bytes.length === 0) throw new WidevineRequestError('CONTENT_ID_MISSING', 'content_id: expected at least one byte')
  const text = UTF8.decode(bytes)
  const isText = Buffer.compare(Buffer.from(text), bytes) === 0 && !text.startsWith('~') && !/\p{Cc}/u.test(text)
  const contentId = isText ? text : `~${Buffer.from(bytes).toString('base64url')}`
  if (contentId.length > MAX_CONTENT_ID) throw malformed(`content_id: expected at most ${MAX_CONTENT_ID} characters`)
  return contentId
}

function readTrackTypes(tracks: unknown): readonly TrackType[] {
  if (tracks === undefined || (Array.isArray(tracks) && tracks.length === 0)) {
    throw new WidevineRequestError('TRACK_TYPE_MISSING', `tracks: expected some of ${TRACK_TYPES.join(', ')}`)
  }
  if (!Array.isArray(tracks) || tracks.length > MAX_TRACKS) throw malformed(`tracks: expected at most ${MAX_TRACKS}`)
  return [...new Set(tracks.map(readTrackType))]
}

function readTrackType(track: unknown): TrackType {
  const { type } = asObject(track, 'tracks')
  if (type === undefined || type === '') throw new WidevineRequestError('TRACK_TYPE_MISSING', 'tracks: one has no type')
  const known = TRACK_TYPES.find((one) => one === type)
  if (known !== undefined) return known
  throw new WidevineRequestError('TRACK_TYPE_UNKNOWN', `tracks: expected the types ${TRACK_TYPES.join(', ')}`)
}

/** The scheme by its name, or by its four-character code as a number, as some clients send it. Default: cenc. */
function readProtectionScheme(value: unknown): CommonEncryptionScheme {
  if (value === undefined || value === 0 || value === '') return 'cenc'
  const known = COMMON_ENCRYPTION_SCHEMES.find((scheme) => scheme.toUpperCase() === value || fourCc(scheme) === value)
  if (known !== undefined) return known
  throw malformed(
    `protection_scheme: expected ${COMMON_ENCRYPTION_SCHEMES.join(', ').toUpperCase()} or a fourCC of them`,
  )
}

function readCryptoPeriods(first: unknown, count: unknown): readonly (number | undefined)[] {
  if (first === undefined && count === undefined) return [undefined]
  if (!isUint32(first)) throw malformed('first_crypto_period_index: expected a number')
  if (count === 0) {
    throw new WidevineRequestError('NO_REQUESTED_CRYPTO_PERIODS', 'crypto_period_count: expected at least 1')
  }
  const periods = count ?? 1
  if (!isUint32(periods) || periods > MAX_CRYPTO_PERIODS || first + periods - 1 > MAX_UINT32) {
    throw malformed(`crypto_period_count: expected a number up to ${MAX_CRYPTO_PERIODS}`)
  }
  return Array.from({ length: periods }, (_, at) => first + at)
}

function isUint32(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_UINT32
}

/** Some clients write the number of the enumeration. */
const WIDEVINE = ['WIDEVINE', 0]

function requireWidevine(drmTypes: unknown): void {
  if (drmTypes === undefined || (Array.isArray(drmTypes) && drmTypes.some((type) => WIDEVINE.includes(type)))) return
  throw malformed('drm_types: expected WIDEVINE')
}
