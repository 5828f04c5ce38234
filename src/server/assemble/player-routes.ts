import { createPlayerTokens } from '../../auth/players/token.ts'
import { RateLimit } from '../../auth/rate-limit.ts'
import { matchesPattern } from '../../core/glob.ts'
import type { PlayerRouteOptions } from '../../http/routes/player.ts'
import { type AccessControl, jwtAccess, openAccess, signedUrlAccess } from '../../protocols/playback/access.ts'
import { callbackAccess } from '../../protocols/playback/callback-access.ts'
import { corsOf } from '../../protocols/playback/cors.ts'
import { PlayerKeys } from '../../protocols/playback/player-keys.ts'
import type { Config } from '../config/config.ts'
import type { AccessSettings } from '../config/playback.ts'
import { postDecision } from '../delivery/post.ts'
import type { KeyProvider } from './key-provider.ts'

/** Subjects whose requests are counted at the same time. */
const MAX_SUBJECTS = 200_000

/** The options of the player routes under a configuration. */
export function playerRouteOptions(
  { contentKeys, issuedKids }: Pick<KeyProvider, 'contentKeys' | 'issuedKids'>,
  { playback, isPrivate }: Pick<Config, 'playback' | 'isPrivate'>,
): PlayerRouteOptions {
  const { access, origins, token, rateLimit, serveDrmKeys } = playback
  const { perSecond, burst } = rateLimit
  const keys = new PlayerKeys({
    contentKeys,
    issuedKids,
    servesDrmKeys: ({ tenant, contentId }) => {
      const name = `${tenant}/${contentId}`
      return serveDrmKeys.some((pattern) => matchesPattern(pattern, name))
    },
  })
  const { cookie, query } = token
  // On a private listener there is only one user.
  const isLimited = perSecond > 0 && !(isPrivate && access.kind === 'open')
  return {
    access: accessOf(access),
    cors: corsOf(origins),
    token: { ...(cookie === undefined ? {} : { cookie }), ...(query === undefined ? {} : { query }) },
    ...(isLimited && {
      limit: new RateLimit({ perSecond, burst, now: () => performance.now(), maxBuckets: MAX_SUBJECTS }),
    }),
    now: () => Date.now(),
    keys,
  }
}

function accessOf(settings: AccessSettings): AccessControl {
  if (settings.kind === 'open') return openAccess
  if (settings.kind === 'off') throw new TypeError('player routes without access')
  if (settings.kind === 'signed-url') return signedUrlAccess(settings.keys.reveal())
  if (settings.kind === 'callback') {
    const { url, timeoutMs, maxTtlSeconds } = settings
    return callbackAccess({ post: postDecision(url), timeoutMs, maxTtlSeconds })
  }
  const { keys, jwks, audience } = settings
  return jwtAccess(
    createPlayerTokens({
      keys: keys.reveal(),
      audience,
      now: () => Date.now(),
      ...(jwks === undefined ? {} : { jwks: new URL(jwks) }),
    }),
  )
}
