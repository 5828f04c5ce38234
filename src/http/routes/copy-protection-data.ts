import type { Intent, Scope } from '../../auth/clients/client.ts'
import { KeyProviderError } from '../../core/errors.ts'
import type { CpixTransfer, TransferCaller, TransferredDocument } from '../../operations/transfer/transfer.ts'
import { fromUrlSegment } from '../../protocols/speke/urls.ts'
import type { Call } from '../call.ts'
import type { ApiCaller, IdentifyOperator } from '../callers.ts'
import type { Route, RouteReply } from '../route.ts'
import { emptyBody, requireXml } from './copy-protection.ts'

export interface CopyProtectionDataOptions {
  readonly transfer: CpixTransfer
  readonly identify: IdentifyOperator
  /** The status of a POST that created a document. Some clients accept only 200. */
  readonly createdStatus: number
}

const MEDIA_TYPES = ['application/xml', 'text/xml', 'application/cpix+xml']
const NO_STORE = { 'cache-control': 'no-store' }
/** The scopes that may have keys in the clear, then the one that reads documents encrypted for pinned recipients. */
const READING: readonly Scope[] = ['keys:issue', 'keys:export', 'keys:read']

/** Answers one method for the document of a content. */
type HandleDocument = (call: Call, caller: ApiCaller, contentId: string) => Promise<RouteReply>

/**
 * CPIX transfer: creates or completes the document of a content, returns it, replaces it, or destroys it with its content.
 * docs/guides/cpix-transfer.md describes the exchange.
 */
export function copyProtectionData({ transfer, identify, createdStatus }: CopyProtectionDataOptions): readonly Route[] {
  const route = (method: Route['method'], handle: HandleDocument): Route => ({
    name: 'copyProtectionData',
    path: '/copyProtectionData/{content}',
    method,
    headers: () => NO_STORE,
    handle: async (call, [segment = '']) => handle(call, await identify(call), contentIdOf(segment)),
  })

  return [
    route('POST', async (call, caller, contentId) => {
      const sender = toTransferCaller(call, caller, 'keys:issue')
      return toReply(sender, await transfer.post(sender, contentId, await documentIn(call)), createdStatus)
    }),
    route('GET', async (call, caller, contentId) => {
      const scope = READING.find((one) => may(caller, { scope: one })) ?? 'keys:read'
      const reader = toTransferCaller(call, caller, scope)
      const ifNoneMatch = call.headers['if-none-match']
      return toReply(reader, await transfer.get(reader, contentId, { ifNoneMatch }), createdStatus)
    }),
    route('PUT', async (call, caller, contentId) => {
      const writer = toTransferCaller(call, caller, 'keys:write')
      const ifMatch = call.headers['if-match']
      const { etag } = await transfer.put(writer, contentId, await documentIn(call), { ifMatch })
      return { status: 204, headers: { ...NO_STORE, etag }, body: '' }
    }),
    route('DELETE', async (call, caller, contentId) => {
      const writer = toTransferCaller(call, caller, 'keys:write')
      await transfer.delete(writer, contentId, { ifMatch: call.headers['if-match'] })
      return { status: 204, headers: NO_STORE, body: '' }
    }),
  ]
}

const MAX_CONTENT_ID = 256

const STATUS: Readonly<Record<Exclude<TransferredDocument['status'], 'created'>, number>> = {
  completed: 200,
  found: 200,
  unchanged: 304,
}

function toReply(
  { operator, client }: TransferCaller,
  document: TransferredDocument,
  createdStatus: number,
): RouteReply {
  const { etag, body, contentId, keys, first, records } = document
  const status = document.status === 'created' ? createdStatus : STATUS[document.status]
  const headers = { ...NO_STORE, etag }
  if (body === undefined) return { status, headers, body: '' }
  const answered = { tenant: operator.tenant, client, contentId, keys, first }
  const issued = records === undefined ? answered : { ...answered, method: operator.actor.method, records }
  // Exactly application/xml: the type of the encoding is in the XML declaration.
  return { status, headers: { ...headers, 'content-type': 'application/xml' }, body, issued }
}

/** The caller in one of its scopes. Where keys leave encrypted only, its own TLS certificate is a recipient too. */
function toTransferCaller({ clientCertificate }: Call, caller: ApiCaller, scope: Scope): TransferCaller {
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

/** No certificate has it: a client that may encrypt for it may encrypt for any certificate, its own included. */
const NO_FINGERPRINT = '0'.repeat(64)

/** A client with pinned recipients gets keys encrypted only, whatever its scopes. */
function keysFor(caller: ApiCaller, scope: Scope): TransferCaller['keys'] {
  if (!may(caller, { scope, recipientFingerprints: [NO_FINGERPRINT] })) return 'encrypted'
  return scope === 'keys:issue' || scope === 'keys:export' ? 'clear' : 'none'
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

function contentIdOf(segment: string): string {
  const contentId = fromUrlSegment(segment)
  if (contentId !== undefined && contentId.length <= MAX_CONTENT_ID) return contentId
  throw new KeyProviderError(
    'ERR_ROUTE_NOT_FOUND',
    'expected /copyProtectionData/ and a contentId of 1 to 256 characters: written as it is if it has only A-Z a-z 0-9 _ -, else as ~ and its base64url form',
  )
}

async function documentIn(call: Call): Promise<Buffer> {
  requireXml(call.headers['content-type'], MEDIA_TYPES)
  const bytes = await call.body()
  if (bytes.length > 0) return bytes
  throw emptyBody()
}
