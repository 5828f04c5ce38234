declare const kid: unique symbol
declare const systemId: unique symbol

/** The ID of a content key: a UUID, lower-case and hyphenated. @see ISO/IEC 23001-7, 8.2 (KID) */
export type Kid = string & { readonly [kid]: true }

/** The ID of a DRM system: a UUID, lower-case and hyphenated. @see DASH-IF Identifiers, content protection */
export type SystemId = string & { readonly [systemId]: true }

/** The protection schemes of Common Encryption. @see ISO/IEC 23001-7, 10 */
export const COMMON_ENCRYPTION_SCHEMES = ['cenc', 'cens', 'cbc1', 'cbcs'] as const
export type CommonEncryptionScheme = (typeof COMMON_ENCRYPTION_SCHEMES)[number]

/** The 16-byte content key of an answer and its 16-byte initialization vector. */
export interface KeyAndIv {
  readonly contentKey: Uint8Array
  readonly explicitIv: Uint8Array
}

/**
 * What a content key protects: `clear` content, whose keys any player can fetch (AES-128, ClearKey), or `drm` content.
 * The class is an input of key derivation, so a `drm` key can never leave through a ClearKey licence.
 */
export type ContentKeyClass = 'clear' | 'drm'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The kid of a UUID in any letter case; undefined for other text. */
export function toKid(text: string): Kid | undefined {
  return UUID.test(text) ? (text.toLowerCase() as Kid) : undefined
}

/** The system ID of a UUID in any letter case; undefined for other text. */
export function toSystemId(text: string): SystemId | undefined {
  return UUID.test(text) ? (text.toLowerCase() as SystemId) : undefined
}

/** The system ID of a constant in the source. Throws a TypeError for text that is not a UUID. */
export function systemIdOf(text: string): SystemId {
  const id = toSystemId(text)
  if (id === undefined) throw new TypeError(`not a UUID: ${text}`)
  return id
}

/** The 16 bytes of a UUID in the order it is written: pssh boxes, tenc, Widevine, ClearKey. */
export function uuidBytes(uuid: Kid | SystemId): Buffer {
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

/** The 16 bytes of a UUID as a little-endian GUID, first three fields reversed: PlayReady only. */
export function guidBytes(uuid: Kid): Buffer {
  const bytes = uuidBytes(uuid)
  bytes.subarray(0, 4).reverse()
  bytes.subarray(4, 6).reverse()
  bytes.subarray(6, 8).reverse()
  return bytes
}

/** The kid of 16 bytes in the order of its text. */
export function kidOfBytes(bytes: Uint8Array): Kid {
  const hex = Buffer.from(bytes).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-') as Kid
}
