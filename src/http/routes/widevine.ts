import { KeyProviderError } from '../../core/errors.ts'
import { statusOf, type WidevineStatus, writeEnvelope } from '../../protocols/widevine/envelope.ts'
import type { WidevineAnswerer } from '../../protocols/widevine/get-content-key.ts'
import type { Route, RouteReply } from '../route.ts'

export interface WidevineRouteOptions {
  readonly widevine: Pick<WidevineAnswerer, 'answer'>
}

/** The signature is inside the body, so anyone can make Keyspring read one. Requests of many crypto periods take a few KB. */
const MAX_REQUEST_BYTES = 32 * 1024

/**
 * The Widevine Common Encryption API, for packagers that use no other key API. Errors are 200 too, as its clients expect:
 * Shaka Packager retries only when the body says INTERNAL_ERROR.
 */
export function widevineContentKey({ widevine }: WidevineRouteOptions): Route {
  return {
    name: 'widevineContentKey',
    path: '/widevine/getcontentkey/{signer}',
    method: 'POST',
    maxBodyBytes: MAX_REQUEST_BYTES,
    async handle(call, [signer = '']) {
      let bytes: Buffer
      try {
        bytes = await call.body('stranger')
      } catch (error) {
        if (!(error instanceof KeyProviderError)) throw error
        return toReply(writeEnvelope({ status: bodyStatus(error) }), { failure: error })
      }
      const { body, ...outcome } = await widevine.answer(signer, bytes)
      return toReply(body, outcome)
    },
  }
}

/** The status word of a body that was not read. */
function bodyStatus(error: KeyProviderError): WidevineStatus {
  return error.code === 'ERR_OVERLOADED' ? statusOf(error) : 'MALFORMED_REQUEST'
}

function toReply(body: string, outcome: Pick<RouteReply, 'issued' | 'failure'>): RouteReply {
  const headers = { 'cache-control': 'no-store', 'content-type': 'application/json' }
  return { status: 200, headers, body, ...outcome }
}
