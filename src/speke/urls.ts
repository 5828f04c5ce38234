import type { Kid } from '../cenc.ts'
import type { ContentRef } from '../keys/store.ts'

/** The URLs of this server that answers carry. `{content}` is the contentId, or `~` and its base64url form. @see docs/architecture.md */
export interface PlayerUrls {
  keyUrl(ref: ContentRef, kid: Kid): string
  clearKeyLicenseUrl(ref: ContentRef): string
}

/** URLs under a public base URL, which has no trailing slash. They never come from a Host header. */
export function playerUrls(publicUrl: string): PlayerUrls {
  return {
    keyUrl: ({ tenant, contentId }, kid) =>
      `${publicUrl}/keys/${toUrlSegment(tenant)}/${toUrlSegment(contentId)}/${kid}`,
    clearKeyLicenseUrl: ({ tenant, contentId }) =>
      `${publicUrl}/license/clearkey/${toUrlSegment(tenant)}/${toUrlSegment(contentId)}`,
  }
}

/** An opaque id as one path segment that no URL parser changes: `.` and `..` collapse, percent-encoded too. */
export function toUrlSegment(id: string): string {
  return /^[A-Za-z0-9_-]+$/.test(id) ? id : `~${Buffer.from(id).toString('base64url')}`
}

/** The id that a path segment stands for, or undefined when it stands for none. */
export function fromUrlSegment(segment: string): string | undefined {
  if (/^[A-Za-z0-9_-]+$/.test(segment)) return segment
  const id = /^~[A-Za-z0-9_-]+$/.test(segment) ? Buffer.from(segment.slice(1), 'base64url').toString() : ''
  return id !== '' && toUrlSegment(id) === segment ? id : undefined
}
