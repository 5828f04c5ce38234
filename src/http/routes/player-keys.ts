import { toKid } from '../../formats/cenc.ts'
import { type DeliverKey, keyNotFound } from '../../protocols/playback/key-delivery.ts'
import type { Route } from '../route.ts'
import { admission, contentOf, crossOrigin, KEY_HEADERS, type PlayerOptions } from './player.ts'

export interface KeyRouteOptions extends PlayerOptions {
  readonly deliverKey: DeliverKey
}

/** One content key, 16 raw bytes, for HLS AES-128 and identity SAMPLE-AES. @see RFC 8216, 5 */
export function key({ deliverKey, ...player }: KeyRouteOptions): Route {
  const admit = admission('key', player)
  return {
    name: 'key',
    path: '/keys/{tenant}/{content}/{kid}',
    method: 'GET',
    ...crossOrigin(player.cors, 'GET'),
    async handle(call, [tenant, content, kidSegment = '']) {
      const kid = toKid(kidSegment)
      if (kid === undefined) throw keyNotFound()
      const ref = contentOf(tenant, content)
      await admit(call, ref, [kid])
      const headers = {
        ...player.cors.headers(call.headers.origin),
        ...KEY_HEADERS,
        'content-type': 'application/octet-stream',
      }
      return { status: 200, headers, body: await deliverKey(ref, kid) }
    },
  }
}
