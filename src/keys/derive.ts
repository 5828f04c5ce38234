import { createHmac, type KeyObject } from 'node:crypto'
import { type ContentKeyClass, type KeyAndIv, type Kid, kidOfBytes, uuidBytes } from '../cenc.ts'
import { KeyProviderError } from '../errors.ts'
import { lengthPrefixed } from './length-prefixed.ts'
import type { ContentRef } from './store.ts'

/** The byte that stands for a class in key derivation and in the context of a seal. It never changes. */
export const CLASS_BYTE: Readonly<Record<ContentKeyClass, number>> = { clear: 0x01, drm: 0x02 }

/** What kids are derived for; each use has a label of its own, so that no two uses share a kid. */
export type KidLabel = 'keyspring/widevine-kid/v1'

/** Derives the keys of one content from its secret. */
export interface Derivation {
  keyAndIv(contentKeyClass: ContentKeyClass, kid: Kid): KeyAndIv
  /** The IV of an override that brings a key alone. */
  explicitIv(contentKeyClass: ContentKeyClass, kid: Kid): Uint8Array
  /** HKDF-Expand(secret, label ‖ lp(tenant) ‖ lp(contentId) ‖ lp(part) …) to 16 bytes. */
  kid(label: KidLabel, parts: readonly string[]): Kid
}

const CONTENT_KEY = 'keyspring/content-key/v1'
const EXPLICIT_IV = 'keyspring/explicit-iv/v1'
const LENGTH = 16

/**
 * The derivation of `ref`: HKDF-Expand(secret, label ‖ class ‖ lp(tenant) ‖ lp(contentId) ‖ kid) to 16 bytes, which is one HMAC-SHA-256.
 * The secret is uniform already, so HKDF-Extract is not needed.
 *
 * @see RFC 5869, 2.3
 */
export function derivation(secret: KeyObject, ref: ContentRef): Derivation {
  const expandKey = expander(secret, CONTENT_KEY, ref)
  const expandIv = expander(secret, EXPLICIT_IV, ref)
  return {
    explicitIv: (contentKeyClass, kid) => expandIv(CLASS_BYTE[contentKeyClass], uuidBytes(kid)),
    keyAndIv(contentKeyClass, kid) {
      const classByte = CLASS_BYTE[contentKeyClass]
      const kidBytes = uuidBytes(kid)
      const keyAndIv = { contentKey: expandKey(classByte, kidBytes), explicitIv: expandIv(classByte, kidBytes) }
      assertIvIsNotKey(keyAndIv)
      return keyAndIv
    },
    kid(label, parts) {
      const names = lengthPrefixed([ref.tenant, ref.contentId, ...parts])
      return kidOfBytes(expand(secret, Buffer.concat([Buffer.from(label), names, Buffer.of(0x01)])))
    },
  }
}

/** The first 16 bytes of HKDF-Expand; `message` is its info and the counter byte 0x01. @see RFC 5869, 2.3 */
export function expand(secret: KeyObject, message: Uint8Array): Uint8Array {
  return createHmac('sha256', secret).update(message).digest().subarray(0, LENGTH)
}

/** Throws when an IV is the key itself: the IV is public, so the key would be too. */
export function assertIvIsNotKey({ contentKey, explicitIv }: KeyAndIv): void {
  if (Buffer.compare(contentKey, explicitIv) === 0) {
    throw new KeyProviderError(
      'ERR_SELF_TEST_FAILED',
      'a content key and its IV came out equal; the answer is withheld, because an IV is public',
    )
  }
}

/** What varies within a content is the class and the kid: the rest of the message is laid out once. */
function expander(secret: KeyObject, label: string, { tenant, contentId }: ContentRef) {
  const names = lengthPrefixed([tenant, contentId])
  const message = Buffer.concat([Buffer.from(label), Buffer.alloc(1), names, Buffer.alloc(16), Buffer.of(0x01)])
  const classAt = label.length
  const kidAt = message.length - 17
  return (classByte: number, kid: Uint8Array): Uint8Array => {
    message[classAt] = classByte
    message.set(kid, kidAt)
    return expand(secret, message)
  }
}
