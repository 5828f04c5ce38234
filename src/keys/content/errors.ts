import { KeyProviderError } from '../../core/errors.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import { expiryOf, type KeptContent, phaseOf } from './lifetime.ts'

/** Throws ERR_CONTENT_GONE for a request for the keys of a destroyed content. */
export function rejectDestroyed(ref: ContentRef, { snapshot, retention }: KeptContent): void {
  const { tombstone } = snapshot
  if (tombstone === undefined) return
  const isLapsed = tombstone.cause === 'expired' && retention.afterwards === 'regenerate'
  throw isLapsed ? contentChanged(ref) : contentGone(ref, tombstone.at)
}

/** Throws ERR_CONTENT_EXPIRED or ERR_CONTENT_GONE for a player's request for the keys of an expired or destroyed content. */
export function rejectExpired(ref: ContentRef, content: KeptContent, now: number): void {
  const { tombstone } = content.snapshot
  const expiresAt = expiryOf(content)
  const phase = phaseOf(content, now)
  if (tombstone !== undefined) {
    throw phase === 'lapsed' ? contentExpired(ref, tombstone.at) : contentGone(ref, tombstone.at)
  }
  if (expiresAt === undefined || now < expiresAt) return
  const isOver = phase === 'over' && content.retention.afterwards === 'gone'
  throw isOver ? contentGone(ref, expiresAt + content.retention.graceMs) : contentExpired(ref, expiresAt)
}

/** The error of every request that needs a destroyed content. `at` is when it was destroyed, in milliseconds since 1970. */
export function contentGone(
  ref: ContentRef,
  at?: number,
  remedy = 'It never gets keys again. Use another contentId.',
): KeyProviderError {
  const when = at === undefined ? '' : ` on ${new Date(at).toISOString()}`
  return new KeyProviderError('ERR_CONTENT_GONE', `${nameOf(ref)} was destroyed${when}. ${remedy}`)
}

/** The error of every change that a legal hold forbids. `hold` is its reason; `remedy` says how to lift it. */
export function contentHeld(ref: ContentRef, hold: string, remedy = 'Release the hold first.'): KeyProviderError {
  return new KeyProviderError('ERR_CONTENT_HELD', `${nameOf(ref)} is under legal hold (${hold}). ${remedy}`)
}

/** The error of every change of keys that encryptors may hold already. `why` says what exists. */
export function overrideExists(
  ref: ContentRef,
  why: string,
  remedy = 'Encryptors may hold these keys. To change them all the same, force the change and give a reason.',
): KeyProviderError {
  return new KeyProviderError('ERR_OVERRIDE_EXISTS', `${nameOf(ref)}: ${why}. ${remedy}`)
}

/** The error of two keys with the same kid where only one is possible. */
export function kidConflict(problem: string): KeyProviderError {
  return new KeyProviderError('ERR_KID_CONFLICT', problem)
}

/** The content changed between two steps of one request. The caller can retry. */
export function contentChanged(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `${nameOf(ref)} expired and was destroyed or regenerated during this request. Retry the request.`,
  )
}

/** The store does not return keys that it just stored. */
export function keysVanished(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store does not return the keys just stored for ${nameOf(ref)}. Retry the request; if it fails again, check the store.`,
  )
}

/** The store lost keys that this process has read from it. */
export function keysLost(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store has lost the keys of ${nameOf(ref)}. Keyspring issues them from memory until this process ends. ` +
      'Restore the store from a backup.',
  )
}

/** The store returned an earlier state of a content than before. */
export function storeBehind(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store returned an earlier state of ${nameOf(ref)} than before. ` +
      'Check the replicas, and whether an old backup was restored.',
  )
}

function contentExpired(ref: ContentRef, at: number): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_EXPIRED',
    `${nameOf(ref)} expired on ${new Date(at).toISOString()}. No encryptor has requested its keys since. Request them again.`,
  )
}

/** How error messages name a content. */
function nameOf({ tenant, contentId }: ContentRef): string {
  return `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)}`
}
