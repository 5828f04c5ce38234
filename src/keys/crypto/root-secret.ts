import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'
import { KeyProviderError } from '../../core/errors.ts'
import { lengthPrefixed } from '../../core/length-prefixed.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import { type Derivation, derivation } from './derive.ts'

const SIZE = 32

/** Derives the secret of a content instead of reading it from a store. */
export type DeriveContentSecret = (ref: ContentRef) => Derivation

/**
 * Derives content secrets from one root secret of 32 bytes, so that servers with the same root secret issue the same keys without a
 * common store:
 *
 * - tenant root = HKDF-Expand(root secret, label ‖ lp(tenant)), 32 bytes
 * - content secret = HKDF-Expand(tenant root, label ‖ lp(tenant) ‖ lp(contentId)), 32 bytes
 *
 * Throws ERR_CONFIG_INVALID for a root secret of another size.
 *
 * @see RFC 5869, 2.3
 */
export function rootSecretDerivation(rootSecret: Uint8Array): DeriveContentSecret {
  if (rootSecret.length !== SIZE) {
    throw new KeyProviderError(
      'ERR_CONFIG_INVALID',
      `contentKeys.rootSecret: expected ${SIZE} bytes in base64, got ${rootSecret.length}.`,
    )
  }
  const root = createSecretKey(rootSecret)
  return (ref) => {
    const { tenant, contentId } = ref
    const tenantRoot = expand(root, 'keyspring/tenant-root/v1', [tenant])
    return derivation(expand(tenantRoot, 'keyspring/content-secret/v1', [tenant, contentId]), ref)
  }
}

function expand(secret: KeyObject, label: string, names: readonly string[]): KeyObject {
  const hmac = createHmac('sha256', secret).update(label).update(lengthPrefixed(names)).update(Uint8Array.of(0x01))
  const bytes = hmac.digest()
  const key = createSecretKey(bytes)
  bytes.fill(0)
  return key
}
