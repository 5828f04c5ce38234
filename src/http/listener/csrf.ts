import { KeyProviderError } from '../../core/errors.ts'
import type { RequestHead } from '../request.ts'

/**
 * Throws ERR_REQUEST_FORWARDED for a request that a page of another site made a browser send. The browser may add
 * credentials by itself (Basic, a client certificate), or needs none on this machine.
 * @see https://www.w3.org/TR/fetch-metadata/
 */
export function rejectCrossSite({ headers }: Pick<RequestHead, 'headers'>): void {
  const site = headers['sec-fetch-site']
  const isCrossSite = site === undefined ? isOtherOrigin(headers) : site !== 'same-origin' && site !== 'none'
  if (!isCrossSite) return
  throw new KeyProviderError(
    'ERR_REQUEST_FORWARDED',
    'a page of another origin sent this request. The management API accepts browser requests from its own origin only: call it from a program, or open it directly',
  )
}

/** For browsers that do not send `Sec-Fetch-Site`. */
function isOtherOrigin({ origin, host }: RequestHead['headers']): boolean {
  return origin !== undefined && !(URL.canParse(origin) && new URL(origin).host === host)
}
