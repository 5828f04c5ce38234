import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'

/** The URLs of this server that answers carry. `{content}` is the contentId, or `~` and its base64url form. @see docs/architecture.md */
export interface PlayerUrls {
  keyUrl(ref: ContentRef, kid: Kid): string
  clearKeyLicenseUrl(ref: ContentRef): string
}

/**
 * URLs under a public base URL, which has no trailing slash. They never come from a Host header. `query` stands behind each as
 * it is: a placeholder for whoever signs the URLs of manifests.
 */
export function playerUrls(publicUrl: string, query?: string): PlayerUrls {
  const behind = query === undefined ? '' : `?${query}`
  return {
    keyUrl: ({ tenant, contentId }, kid) =>
      `${publicUrl}/keys/${toUrlSegment(tenant)}/${toUrlSegment(contentId)}/${kid}${behind}`,
    clearKeyLicenseUrl: ({ tenant, contentId }) =>
      `${publicUrl}/license/clearkey/${toUrlSegment(tenant)}/${toUrlSegment(contentId)}${behind}`,
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
