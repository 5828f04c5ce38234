import type { RouteRow } from './rest-api.ts'

/** What the reference server called its stage: URLs keep their form. */
export const SPEKE_STAGE = 'EkeStage'

/** Every path takes every version: the header decides. `/copyProtection` is that of the reference server. */
export const SPEKE_ROUTES: readonly RouteRow[] = [
  ...['', '/speke/v1.0', '/speke/v2.0', '/speke/v2.1'].map(
    (base): RouteRow => ({ path: `${base}/copyProtection`, method: 'POST', authorization: 'AWS_IAM' }),
  ),
  ...['', '/speke/v1.0'].map(
    (base): RouteRow => ({ path: `${base}/heartbeat`, method: 'GET', authorization: 'AWS_IAM' }),
  ),
]

export const PLAYER_STAGE = 'players'

/** The key of the usage plan is what CloudFront knows and players do not: nobody goes around it. */
export const PLAYER_ROUTES: readonly RouteRow[] = [
  { path: '/keys/{tenant}/{content}/{kid}', method: 'GET', authorization: 'NONE', needsApiKey: true },
  { path: '/keys/{tenant}/{content}/{kid}', method: 'OPTIONS', authorization: 'NONE', needsApiKey: true },
  { path: '/license/clearkey/{tenant}/{content}', method: 'POST', authorization: 'NONE', needsApiKey: true },
  { path: '/license/clearkey/{tenant}/{content}', method: 'OPTIONS', authorization: 'NONE', needsApiKey: true },
]
