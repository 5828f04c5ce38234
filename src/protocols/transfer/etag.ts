import { KeyProviderError } from '../../core/errors.ts'

/** Of a content without a stored document. */
export const NO_REVISION = '0'

/** The ETag of a document as it is answered: its revision, then what it is filled with. */
export function etagOf(revision: string, digest: string): string {
  return `"${revision}.${digest}"`
}

/** Whether If-None-Match names this ETag. @see RFC 9110, 13.1.2 */
export function isKnown(ifNoneMatch: string | undefined, etag: string): boolean {
  return ifNoneMatch !== undefined && tagsOf(ifNoneMatch).some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag)
}

/**
 * Refuses a change of a document that its sender has not seen: If-Match names the revision that stands, whatever it was filled
 * with. It must be there when a document stands, unless `optional`. @see RFC 9110, 13.1.1
 */
export function requireMatch(ifMatch: string | undefined, standing: string | undefined, optional = false): void {
  if (ifMatch === undefined) {
    if (standing === undefined || optional) return
    throw new KeyProviderError(
      'ERR_PRECONDITION_MISSING',
      'If-Match: expected the ETag of the document that is to be changed',
    )
  }
  const revision = standing ?? NO_REVISION
  const matches = (tag: string): boolean =>
    tag === '*' ? standing !== undefined : /^"([\w-]+)(?:\.[\w-]*)?"$/.exec(tag)?.[1] === revision
  if (!tagsOf(ifMatch).some(matches)) throw changedMeanwhile()
}

/** Somebody else changed the document. */
export function changedMeanwhile(): KeyProviderError {
  return new KeyProviderError('ERR_PRECONDITION_FAILED', 'If-Match: the document was changed since; read it again')
}

function tagsOf(header: string): readonly string[] {
  return header.split(',').map((tag) => tag.trim())
}
