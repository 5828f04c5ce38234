import type { WidevineAnswerer } from '../../protocols/widevine/get-content-key.ts'
import type { Route } from '../route.ts'

export interface WidevineRouteOptions {
  readonly widevine: Pick<WidevineAnswerer, 'answer'>
}

/**
 * The key API of Widevine, where packagers that know no other take their keys. Its refusals are 200 too, as clients expect:
 * Shaka Packager asks again only when the body says INTERNAL_ERROR.
 */
export function widevineContentKey({ widevine }: WidevineRouteOptions): Route {
  return {
    name: 'widevineContentKey',
    path: '/widevine/getcontentkey/{signer}',
    method: 'POST',
    async handle(call, [signer = '']) {
      const { body, ...outcome } = await widevine.answer(signer, call.bytes)
      const headers = { 'cache-control': 'no-store', 'content-type': 'application/json' }
      return { status: 200, headers, body, ...outcome }
    },
  }
}
