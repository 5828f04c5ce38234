import type { WidevineAnswerer } from '../../protocols/widevine/get-content-key.ts'
import type { Route } from '../route.ts'

export interface WidevineRouteOptions {
  readonly widevine: Pick<WidevineAnswerer, 'answer'>
}

/** More than any request for 1000 crypto periods with a signature, and little enough to be no target: the signature is in the body. */
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
      const { body, ...outcome } = await widevine.answer(signer, await call.body('stranger'))
      const headers = { 'cache-control': 'no-store', 'content-type': 'application/json' }
      return { status: 200, headers, body, ...outcome }
    },
  }
}
