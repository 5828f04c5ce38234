import type { Intent, Scope } from '../../auth/clients/client.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { CpixTransfer, TransferCaller, TransferredDocument } from '../../operations/transfer/transfer.ts'
import { fromUrlSegment } from '../../protocols/speke/urls.ts'
import type { ApiCaller, IdentifyOperator } from '../api/caller.ts'
import type { Call } from '../call.ts'
import type { Route, RouteReply } from '../route.ts'
import { requireXml } from './copy-protection.ts'

export interface CopyProtectionDataOptions {
  readonly transfer: CpixTransfer
  readonly identify: IdentifyOperator
}

const MEDIA_TYPES = ['application/xml', 'text/xml', 'application/cpix+xml']
const NO_STORE = { 'cache-control': 'no-store' }
/** Each of them may read; without the first two, keys come encrypted for pinned recipients or not at all. */
const READING: readonly Scope[] = ['keys:issue', 'keys:export', 'keys:read']
const CLEAR: readonly Scope[] = ['keys:issue', 'keys:export']

/** What one method does with the document of a content. */
type Handle = (call: Call, caller: ApiCaller, contentId: string) => Promise<RouteReply>

/**
 * CPIX transfer: the document of a content is created or completed, given out, replaced, destroyed with its content.
 * @see docs/guides/cpix-transfer.md
 */
export function copyProtectionData({ transfer, identify }: CopyProtectionDataOptions): readonly Route[] {
  const route = (method: Route['method'], handle: Handle): Route => ({
    name: 'copyProtectionData',
    path: '/copyProtectionData/{content}',
    method,
    headers: () => NO_STORE,
    async handle(call, [segment = '']) {
      const caller = await identify(call)
      const contentId = fromUrlSegment(segment)
      if (contentId === undefined || contentId.length > MAX_CONTENT_ID) {
        throw new KeyProviderError(
          'ERR_ROUTE_NOT_FOUND',
          'expected /copyProtectionData/ and a content id of 1 to 256 characters, as it is where it has only A-Z a-z 0-9 _ -, else ~ and its base64url',
        )
      }
      return handle(call, caller, contentId)
    },
  })

  return [
    route('POST', async (call, caller, contentId) => {
      const sender = callerOf(call, caller, 'keys:issue')
      return toReply(sender, await transfer.post(sender, contentId, documentIn(call)))
    }),
    route('GET', async (call, caller, contentId) => {
      const scope = READING.find((one) => may(caller, { scope: one })) ?? 'keys:read'
      const reader = callerOf(call, caller, scope)
      const ifNoneMatch = call.headers['if-none-match']
      return toReply(reader, await transfer.get(reader, contentId, { ifNoneMatch }))
    }),
    route('PUT', async (call, caller, contentId) => {
      const writer = callerOf(call, caller, 'keys:write')
      const { etag } = await transfer.put(writer, contentId, documentIn(call), { ifMatch: call.headers['if-match'] })
      return { status: 204, headers: { ...NO_STORE, etag }, body: '' }
    }),
    route('DELETE', async (call, caller, contentId) => {
      const writer = callerOf(call, caller, 'keys:write')
      await transfer.delete(writer, contentId, { ifMatch: call.headers['if-match'] })
      return { status: 204, headers: NO_STORE, body: '' }
    }),
  ]
}

const MAX_CONTENT_ID = 256

const STATUS: Readonly<Record<TransferredDocument['status'], number>> = {
  created: 201,
  completed: 200,
  found: 200,
  unchanged: 304,
}

function toReply({ operator, client }: TransferCaller, document: TransferredDocument): RouteReply {
  const { status, etag, body, contentId, keys, first, records } = document
  const headers = { ...NO_STORE, etag }
  if (body === undefined) return { status: STATUS[status], headers, body: '' }
  const answered = { tenant: operator.tenant, client, contentId, keys, first }
  const issued = records === undefined ? answered : { ...answered, method: operator.actor.method, records }
  // Exactly application/xml: the type of the encoding is in the XML declaration.
  return { status: STATUS[status], headers: { ...headers, 'content-type': 'application/xml' }, body, issued }
}

/** The caller in one of its scopes. A reader that has keys encrypted only is given them for its own TLS certificate too. */
function callerOf({ clientCertificate }: Call, caller: ApiCaller, scope: Scope): TransferCaller {
  caller.authorize({ scope })
  const keys = keysFor(caller, scope)
  const certificate = keys === 'encrypted' ? clientCertificate?.raw : undefined
  return {
    operator: caller.operator,
    client: caller.client,
    authorize: (contentId, recipientFingerprints) => caller.authorize({ scope, contentId, recipientFingerprints }),
    keys,
    ...(certificate !== undefined && { certificates: [certificate] }),
  }
}

/** No certificate has it: whoever may encrypt for it may encrypt for anybody, itself included. */
const NO_FINGERPRINT = '0'.repeat(64)

function keysFor(caller: ApiCaller, scope: Scope): TransferCaller['keys'] {
  if (CLEAR.some((one) => may(caller, { scope: one }))) return 'clear'
  return may(caller, { scope, recipientFingerprints: [NO_FINGERPRINT] }) ? 'none' : 'encrypted'
}

function may({ authorize }: ApiCaller, intent: Intent): boolean {
  try {
    authorize(intent)
    return true
  } catch (error) {
    if (error instanceof KeyProviderError && error.code === 'ERR_FORBIDDEN') return false
    throw error
  }
}

function documentIn({ headers, bytes }: Call): Buffer {
  requireXml(headers['content-type'], MEDIA_TYPES)
  if (bytes.length > 0) return bytes
  throw new KeyProviderError('ERR_XML_MALFORMED', 'the body is empty: expected a CPIX document')
}
