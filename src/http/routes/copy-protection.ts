import { KeyProviderError } from '../../core/errors.ts'
import type { IssuedAnswer, SpekeAnswerer } from '../../protocols/speke/answer.ts'
import type { Call } from '../call.ts'
import type { Encryptor, IdentifyEncryptor } from '../callers.ts'
import type { Route, RouteReply } from '../route.ts'

export interface CopyProtectionOptions {
  readonly speke: Pick<SpekeAnswerer, 'answer'>
  /** Records issued keys in the audit log before the answer leaves. Rejects with ERR_AUDIT_UNAVAILABLE. */
  readonly audit?:
    | ((call: Call, issued: IssuedAnswer & Pick<Encryptor, 'method'>) => Promise<void> | undefined)
    | undefined
  readonly identify: IdentifyEncryptor
  /** The value of the user agent headers, such as `keyspring/1.0.0`. */
  readonly userAgent: string
}

/**
 * Answers a CPIX request document with a CPIX response document.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api-v2.html
 */
export function copyProtection(options: CopyProtectionOptions): Omit<Route, 'path'> {
  const { speke, audit, identify, userAgent } = options
  return {
    name: 'copyProtection',
    method: 'POST',
    headers: (call) => spekeHeaders(versionHeader(call), userAgent),
    async handle(call): Promise<RouteReply> {
      const caller = identify(call)
      const { tenant, client, method, authorize } = caller instanceof Promise ? await caller : caller
      requireXml(call.headers['content-type'])
      const bytes = await call.body()
      if (bytes.length === 0) throw emptyBody()
      const asked = versionHeader(call)
      const { body, contentId, spekeVersion, emptySystems, keys, first } = await speke.answer({
        versionHeader: asked,
        bytes,
        tenant,
        client,
        authorize,
        ...(audit && { audit: (issued) => audit(call, { ...issued, method }) }),
      })
      // A request without the header may have been answered as SPEKE 2.
      const replyHeaders = spekeHeaders(asked ?? (spekeVersion === '1.0' ? undefined : spekeVersion), userAgent)
      // Exactly application/xml: the XML declaration names the encoding.
      replyHeaders['content-type'] = 'application/xml'
      if (emptySystems > 0) {
        call.warning = emptySystemsWarning(emptySystems)
        replyHeaders['x-keyspring-warning'] = call.warning
      }
      return { status: 200, headers: replyHeaders, body, issued: { tenant, client, contentId, keys, first } }
    },
  }
}

function emptySystemsWarning(count: number): string {
  const what =
    count === 1
      ? 'one DRMSystem element has no child elements, so it stays empty'
      : `${count} DRMSystem elements have no child elements, so they stay empty`
  return `${what}: set speke.emptyDrmSystems to fill, or POST to /copyProtectionData/{contentId}`
}

const ECHOED_VERSION = /^[\x20-\x7e]{1,32}$/

/** SPEKE's own response headers, on errors too. An unknown version gets the headers of version 2. */
function spekeHeaders(version: string | undefined, userAgent: string): Record<string, string> {
  if (version === undefined) return { 'speke-user-agent': userAgent, 'cache-control': 'no-store' }
  const headers: Record<string, string> = {
    [version === '1.0' ? 'speke-user-agent' : 'x-speke-user-agent']: userAgent,
    'cache-control': 'no-store',
  }
  if (ECHOED_VERSION.test(version)) headers['x-speke-version'] = version
  return headers
}

function versionHeader(call: Call): string | undefined {
  const value = call.headers['x-speke-version']
  return Array.isArray(value) ? value.join(', ') : value
}

const XML_MEDIA_TYPES = ['application/xml', 'text/xml']

/** The charsets of a document; the document itself shows which of them it is in. @see RFC 7303, 3 */
const CHARSETS = ['utf-8', 'utf-16', 'utf-16le', 'utf-16be']

/** Throws ERR_MEDIA_TYPE_UNSUPPORTED for anything but XML. Encryptors may send no media type. */
export function requireXml(contentType: string | undefined, mediaTypes: readonly string[] = XML_MEDIA_TYPES): void {
  if (contentType === undefined || contentType === 'application/xml') return
  const [mediaType = '', ...parameters] = contentType.toLowerCase().split(';')
  if (!mediaTypes.includes(mediaType.trim())) {
    throw new KeyProviderError('ERR_MEDIA_TYPE_UNSUPPORTED', 'Content-Type: expected application/xml')
  }
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=', 2)
    if (name.trim() === 'charset' && !CHARSETS.includes(value.trim().replace(/^"(.*)"$/, '$1'))) {
      throw new KeyProviderError('ERR_MEDIA_TYPE_UNSUPPORTED', 'Content-Type: expected the charset utf-8 or utf-16')
    }
  }
}

/** The error of a request that should hold a CPIX document and has no body. */
export function emptyBody(): KeyProviderError {
  return new KeyProviderError('ERR_XML_MALFORMED', 'the body is empty: expected a CPIX document')
}
