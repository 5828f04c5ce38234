import { KeyProviderError } from '../../core/errors.ts'
import type { AuthorizeContent, IssuedAnswer, SpekeAnswerer } from '../../protocols/speke/answer.ts'
import type { Call } from '../call.ts'
import type { Route, RouteReply } from '../route.ts'

/** Who sent a call: the tenant whose contents it may name and its own name for the ledger. */
export interface Caller {
  readonly tenant: string
  readonly client: string
  /** How that was proven. */
  readonly method: string
  /** Throws ERR_FORBIDDEN unless it may have keys of a content, encrypted for the holders of these certificates. */
  readonly authorize: AuthorizeContent
}

export interface CopyProtectionOptions {
  readonly speke: Pick<SpekeAnswerer, 'answer'>
  /** Records issued keys in the audit log before the answer leaves. Rejects with ERR_AUDIT_UNAVAILABLE. */
  readonly audit?:
    | ((call: Call, issued: IssuedAnswer & Pick<Caller, 'method'>) => Promise<void> | undefined)
    | undefined
  /** Who is calling; throws for a call that is not let in. */
  readonly identify: (call: Call) => Caller | Promise<Caller>
  /** What the user agent headers say, such as `keyspring/1.0.0`. */
  readonly userAgent: string
}

/**
 * Answers a CPIX request document with a CPIX response document.
 * @see https://docs.aws.amazon.com/speke/latest/documentation/the-speke-api-v2.html
 */
export function copyProtection(options: CopyProtectionOptions): Pick<Route, 'name' | 'method' | 'headers' | 'handle'> {
  const { speke, audit, identify, userAgent } = options
  const headers = (call: Call): Record<string, string> => spekeHeaders(versionHeader(call), userAgent)

  return {
    name: 'copyProtection',
    method: 'POST',
    headers,
    async handle(call): Promise<RouteReply> {
      const caller = identify(call)
      const { tenant, client, method, authorize } = caller instanceof Promise ? await caller : caller
      requireXml(call.headers['content-type'])
      if (call.bytes.length === 0) {
        throw new KeyProviderError('ERR_XML_MALFORMED', 'the body is empty: expected a CPIX document')
      }
      const { body, contentId, spekeVersion, keys, first } = await speke.answer({
        versionHeader: versionHeader(call),
        bytes: call.bytes,
        tenant,
        client,
        authorize,
        ...(audit && { audit: (issued) => audit(call, { ...issued, method }) }),
      })
      // Exactly application/xml: the type of the encoding is in the XML declaration.
      const lost = versionHeader(call) === undefined && spekeVersion !== '1.0'
      const replyHeaders = lost ? spekeHeaders(spekeVersion, userAgent) : headers(call)
      replyHeaders['content-type'] = 'application/xml'
      return { status: 200, headers: replyHeaders, body, issued: { tenant, client, contentId, keys, first } }
    },
  }
}

const ECHOED_VERSION = /^[\x20-\x7e]{1,32}$/

/** SPEKE's own response headers, on errors too. A version we do not know is answered in the words of version 2. */
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
