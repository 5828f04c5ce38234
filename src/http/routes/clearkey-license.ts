import { type IssueLicense, readLicenseRequest } from '../../protocols/playback/clearkey-license.ts'
import type { Route } from '../route.ts'
import { admission, contentOf, crossOrigin, KEY_HEADERS, type PlayerOptions } from './player.ts'

export interface ClearKeyLicenseRouteOptions extends PlayerOptions {
  readonly issueLicense: IssueLicense
}

/**
 * A licence of the Clear Key system of EME, for the keys of the request that the player may have. The Content-Type is not
 * looked at: most players send none. @see https://www.w3.org/TR/encrypted-media-2/#clear-key
 */
export function clearKeyLicense({ issueLicense, ...player }: ClearKeyLicenseRouteOptions): Route {
  const admit = admission('license', player)
  return {
    name: 'clearKeyLicense',
    path: '/license/clearkey/{tenant}/{content}',
    method: 'POST',
    ...crossOrigin(player.cors, 'POST'),
    async handle(call, [tenant, content]) {
      const ref = contentOf(tenant, content)
      const { kids, type } = readLicenseRequest(call.bytes)
      const allowed = await admit(call, ref, kids)
      const headers = {
        ...player.cors.headers(call.headers.origin),
        ...KEY_HEADERS,
        'content-type': 'application/json',
      }
      return { status: 200, headers, body: await issueLicense(ref, allowed, type) }
    },
  }
}
