import type { Kid } from '../../formats/cenc.ts'
import type { ContentRef } from '../../keys/ports/content-ref.ts'

/**
 * The URLs of this server in answers. They start with the configured public URL, never with a Host header. A contentId that is not
 * safe as a path segment is written as `~` and its base64url form.
 */
export class PlayerUrls {
  readonly #publicUrl: string
  readonly #query: string

  /** `publicUrl` has no trailing slash. `query` is appended to each URL: a placeholder for the system that signs URLs. */
  constructor(publicUrl: string, query?: string) {
    this.#publicUrl = publicUrl
    this.#query = query === undefined ? '' : `?${query}`
  }

  /** Where a player fetches the 16 bytes of a key. */
  keyUrl({ tenant, contentId }: ContentRef, kid: Kid): string {
    return `${this.#publicUrl}/keys/${toUrlSegment(tenant)}/${toUrlSegment(contentId)}/${kid}${this.#query}`
  }

  clearKeyLicenseUrl({ tenant, contentId }: ContentRef): string {
    return `${this.#publicUrl}/license/clearkey/${toUrlSegment(tenant)}/${toUrlSegment(contentId)}${this.#query}`
  }
}

/** An id as one path segment that no URL parser changes. Parsers collapse `.` and `..`, even if they are percent-encoded. */
export function toUrlSegment(id: string): string {
  return /^[A-Za-z0-9_-]+$/.test(id) ? id : `~${Buffer.from(id).toString('base64url')}`
}

/** Tenants and contents have at most this many characters. */
const MAX_ID = 256
/** The longest segment of such an id: `~` and the base64url form of four bytes per character. */
const MAX_SEGMENT = 1 + Math.ceil((MAX_ID * 4 * 4) / 3)

/** The id of a path segment; undefined if no id is written so, or if it is longer than 256 characters. */
export function fromUrlSegment(segment: string): string | undefined {
  if (segment.length > MAX_SEGMENT) return undefined
  if (/^[A-Za-z0-9_-]+$/.test(segment)) return segment.length > MAX_ID ? undefined : segment
  const id = /^~[A-Za-z0-9_-]+$/.test(segment) ? Buffer.from(segment.slice(1), 'base64url').toString() : ''
  return id !== '' && toUrlSegment(id) === segment && [...id].length <= MAX_ID ? id : undefined
}
