import { createHmac, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import { type ContentKeyClass, type KeyAndIv, type Kid, kidOfBytes, uuidBytes } from '../../formats/cenc.ts'
import type { ContentRef } from '../ports/content-ref.ts'

/** The byte of a class in key derivation and in seal contexts. It never changes. */
export const CLASS_BYTE: Readonly<Record<ContentKeyClass, number>> = { clear: 0x01, drm: 0x02 }

/** The uses that kids are derived for. Each use has its own label, so that no two uses share a kid. */
export type KidLabel = 'keyspring/widevine-kid/v1'

/** Derives the keys of one content from its secret. */
export interface Derivation {
  keyAndIv(contentKeyClass: ContentKeyClass, kid: Kid): KeyAndIv
  /** The key without its IV, for players. */
  contentKey(contentKeyClass: ContentKeyClass, kid: Kid): Uint8Array
  /** The IV of an override without one. */
  explicitIv(contentKeyClass: ContentKeyClass, kid: Kid): Uint8Array
  /** HKDF-Expand(secret, label ‖ lp(tenant) ‖ lp(contentId) ‖ lp(part) …) to 16 bytes. */
  kid(label: KidLabel, parts: readonly string[]): Kid
}

const CONTENT_KEY = new TextEncoder().encode('keyspring/content-key/v1')
const EXPLICIT_IV = new TextEncoder().encode('keyspring/explicit-iv/v1')
const LABEL_SIZE = 24
const LENGTH = 16

/**
 * The key derivation of a content: HKDF-Expand(secret, label ‖ class ‖ lp(tenant) ‖ lp(contentId) ‖ kid), 16 bytes, which is one
 * HMAC-SHA-256. The secret is 32 uniform random bytes, so HKDF-Extract is not needed.
 *
 * @see RFC 5869, 2.3
 */
export function derivation(secret: KeyObject, ref: ContentRef): Derivation {
  return {
    explicitIv: (contentKeyClass, kid) => expandLabeled(secret, EXPLICIT_IV, messageOf(ref, contentKeyClass, kid)),
    contentKey: (contentKeyClass, kid) => expandLabeled(secret, CONTENT_KEY, messageOf(ref, contentKeyClass, kid)),
    keyAndIv(contentKeyClass, kid) {
      const message = messageOf(ref, contentKeyClass, kid)
      const contentKey = expandLabeled(secret, CONTENT_KEY, message)
      let derived: Uint8Array | undefined
      return {
        contentKey,
        // Most encryptors send their own IV or need none, and this HMAC is a third of the cost of a key.
        get explicitIv() {
          if (derived !== undefined) return derived
          derived = expandLabeled(secret, EXPLICIT_IV, message)
          assertIvIsNotKey({ contentKey, explicitIv: derived })
          return derived
        },
      }
    },
    kid(label, parts) {
      const names = lengthPrefixed([ref.tenant, ref.contentId, ...parts])
      return kidOfBytes(expand(secret, Buffer.concat([Buffer.from(label), names, Buffer.of(0x01)])))
    },
  }
}

/** The first 16 bytes of HKDF-Expand; `message` is its info followed by the counter byte 0x01. @see RFC 5869, 2.3 */
export function expand(secret: KeyObject, message: Uint8Array): Uint8Array {
  return createHmac('sha256', secret).update(message).digest().subarray(0, LENGTH)
}

/** Throws ERR_SELF_TEST_FAILED if an IV equals its key: the IV is public, so the key would be public too. */
export function assertIvIsNotKey({ contentKey, explicitIv }: KeyAndIv): void {
  if (Buffer.compare(contentKey, explicitIv) === 0) {
    throw new KeyProviderError(
      'ERR_SELF_TEST_FAILED',
      'a content key equals its IV. An IV is public, so the request is not answered. Report this as a fault of Keyspring.',
    )
  }
}

function expandLabeled(secret: KeyObject, label: Uint8Array, message: Buffer): Uint8Array {
  message.set(label)
  return expand(secret, message)
}

/**
 * Room for a label, then class ‖ lp(tenant) ‖ lp(contentId) ‖ kid ‖ 0x01. It is built for each key, in a quarter of a microsecond:
 * kept per content, it would be the largest part of a content in memory.
 */
function messageOf({ tenant, contentId }: ContentRef, contentKeyClass: ContentKeyClass, kid: Kid): Buffer {
  const tenantSize = Buffer.byteLength(tenant)
  const contentIdSize = Buffer.byteLength(contentId)
  const message = Buffer.allocUnsafe(LABEL_SIZE + 1 + 4 + tenantSize + 4 + contentIdSize + 16 + 1)
  let at = message.writeUInt8(CLASS_BYTE[contentKeyClass], LABEL_SIZE)
  at = message.writeUInt32BE(tenantSize, at)
  at += message.write(tenant, at)
  at = message.writeUInt32BE(contentIdSize, at)
  at += message.write(contentId, at)
  message.set(uuidBytes(kid), at)
  message.writeUInt8(0x01, at + 16)
  return message
}
