import { KeyProviderError } from '../../core/errors.ts'
import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'
import type { FindPlayerKeys } from './player-keys.ts'

/** The 16 bytes that a player of HLS AES-128 or identity SAMPLE-AES decrypts with. @see RFC 8216, 5 (key files) */
export type DeliverKey = (ref: ContentRef, kid: Kid) => Promise<Uint8Array>

/** Delivers one key. Throws ERR_KEY_NOT_FOUND, ERR_KEY_GUARDS_DRM, ERR_CONTENT_GONE, ERR_STORE_UNAVAILABLE. */
export function keyDelivery(findPlayerKeys: FindPlayerKeys): DeliverKey {
  return async (ref, kid) => {
    const [found] = await findPlayerKeys(ref, [kid])
    if (found?.contentKey !== undefined) return found.contentKey
    throw found?.lack === 'drm' ? keyGuardsDrm() : keyNotFound()
  }
}

/** One message for a tenant, content or key that does not exist: which of them lacks is nobody's business. */
export function keyNotFound(): KeyProviderError {
  return new KeyProviderError('ERR_KEY_NOT_FOUND', 'there is no such key')
}

/** The key was issued to encryptors that named a DRM system for it, perhaps besides HLS AES-128 or ClearKey. */
export function keyGuardsDrm(): KeyProviderError {
  return new KeyProviderError(
    'ERR_KEY_GUARDS_DRM',
    'this key guards DRM content, so only DRM licences carry it: request a key that no DRM system shares for HLS AES-128 and ClearKey',
  )
}
