import { KeyProviderError } from '../../core/errors.ts'

/** The revision of a content without a stored document. */
export const NO_REVISION = '0'

/** The ETag of an answered document: its revision, then a digest of everything that it is filled with. */
export function etagOf(revision: string, digest: string): string {
  return `"${revision}.${digest}"`
}

/** Whether If-None-Match names this ETag. @see RFC 9110, 13.1.2 */
export function matchesEtag(ifNoneMatch: string | undefined, etag: string): boolean {
  return ifNoneMatch !== undefined && tagsOf(ifNoneMatch).some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag)
}

/**
 * Rejects a change of a document that its sender has not read. If-Match must name the stored revision; the digest does not
 * count. A stored document requires If-Match, unless `optional`. Throws ERR_PRECONDITION_MISSING, ERR_PRECONDITION_FAILED.
 * @see RFC 9110, 13.1.1
 */
export function requireMatch(ifMatch: string | undefined, stored: string | undefined, optional = false): void {
  if (ifMatch === undefined) {
    if (stored === undefined || optional) return
    throw new KeyProviderError(
      'ERR_PRECONDITION_MISSING',
      'If-Match: the content has a document; send the ETag of the document that you want to change',
    )
  }
  const revision = stored ?? NO_REVISION
  const matches = (tag: string): boolean =>
    tag === '*' ? stored !== undefined : /^"([\w-]+)(?:\.[\w-]*)?"$/.exec(tag)?.[1] === revision
  if (!tagsOf(ifMatch).some(matches)) throw changedMeanwhile()
}

/** The error of a change based on an old revision. */
export function changedMeanwhile(): KeyProviderError {
  return new KeyProviderError('ERR_PRECONDITION_FAILED', 'If-Match: the document has changed; read it again')
}

function tagsOf(header: string): readonly string[] {
  return header.split(',').map((tag) => tag.trim())
}
