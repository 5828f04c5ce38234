import { KeyProviderError } from '../../core/errors.ts'
import type { ContentRef } from '../ports/content-ref.ts'
import { expiryOf, type Kept, phaseOf } from './lifetime.ts'

/** Refuses an encryptor a content that has no keys any more. */
export function refuseGone(ref: ContentRef, { snapshot, retention }: Kept): void {
  const { tombstone } = snapshot
  if (tombstone === undefined) return
  const isLapsed = tombstone.cause === 'expired' && retention.afterwards === 'regenerate'
  throw isLapsed ? contentChanged(ref) : contentGone(ref, tombstone.at)
}

/** Refuses a player a content that expired or was destroyed. */
export function refuseExpired(ref: ContentRef, content: Kept, now: number): void {
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

export function contentGone(ref: ContentRef, at: number): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_GONE',
    `${nameOf(ref)} was destroyed on ${new Date(at).toISOString()}; it never gets keys again: use another contentId`,
  )
}

/** The content became another between two steps of one request. */
export function contentChanged(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `${nameOf(ref)} had expired and was destroyed or given new keys at this moment: ask again`,
  )
}

export function keysVanished(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store does not return the keys just stored for ${nameOf(ref)}; ask again, and check the store when this stays`,
  )
}

export function keysLost(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store has lost the keys of ${nameOf(ref)}; they are issued from memory until this process ends: ` +
      'restore the store from a backup',
  )
}

export function storeBehind(ref: ContentRef): KeyProviderError {
  return new KeyProviderError(
    'ERR_STORE_UNAVAILABLE',
    `the store gives an earlier state of ${nameOf(ref)} than it gave before: ` +
      'check the replicas, and whether an old backup was restored',
  )
}

function contentExpired(ref: ContentRef, at: number): KeyProviderError {
  return new KeyProviderError(
    'ERR_CONTENT_EXPIRED',
    `${nameOf(ref)} expired on ${new Date(at).toISOString()}: no encryptor has asked for its keys since`,
  )
}

function nameOf({ tenant, contentId }: ContentRef): string {
  return `content ${JSON.stringify(contentId)} of tenant ${JSON.stringify(tenant)}`
}
