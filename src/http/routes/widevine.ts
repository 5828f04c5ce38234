import type { GetContentKey } from '../../protocols/widevine/get-content-key.ts'
import type { Route } from '../route.ts'

export interface WidevineRouteOptions {
  readonly getContentKey: GetContentKey
}

/**
 * The key API of Widevine, where packagers that know no other take their keys. Its refusals are 200 too, as clients expect:
 * Shaka Packager asks again only when the body says INTERNAL_ERROR.
 */
export function widevineContentKey({ getContentKey }: WidevineRouteOptions): Route {
  return {
    name: 'widevineContentKey',
    path: '/widevine/getcontentkey/{signer}',
    method: 'POST',
    async handle(call, [signer = '']) {
      const { body, ...told } = await getContentKey(signer, call.bytes)
      const headers = { 'cache-control': 'no-store', 'content-type': 'application/json' }
      return { status: 200, headers, body, ...told }
    },
  }
}
