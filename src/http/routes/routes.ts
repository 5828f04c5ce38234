import type { Route } from '../route.ts'
import { type ApiOptions, apiRoutes } from './api.ts'
import { type CopyProtectionOptions, copyProtection } from './copy-protection.ts'
import { type CopyProtectionDataOptions, copyProtectionData } from './copy-protection-data.ts'
import { heartbeat, livez, readyz } from './health.ts'
import { type MetricsOptions, metrics } from './metrics.ts'
import { clearKeyLicense, type PlayerRouteOptions, playerKey } from './player.ts'
import { type WidevineRouteOptions, widevineContentKey } from './widevine.ts'

interface RouteOptions extends CopyProtectionOptions {
  /** More paths under which `/copyProtection` and `/heartbeat` are served. */
  readonly basePaths: readonly string[]
  readonly isReady: () => Promise<boolean>
  /** Undefined: another listener serves the metrics. */
  readonly metrics: MetricsOptions | undefined
  /** Undefined: no key URLs and no licences. */
  readonly player?: PlayerRouteOptions
  /** Undefined: the Widevine key API is not served. */
  readonly widevine?: WidevineRouteOptions
  /** Undefined: CPIX transfer is not served. */
  readonly transfer?: CopyProtectionDataOptions
  /** Undefined: the management API is not served here. */
  readonly api?: ApiOptions | undefined
}

/** The SPEKE version in each base path. Every path accepts every version. */
const BASE_PATHS: readonly { readonly base: string; readonly pathVersion?: string }[] = [
  { base: '' },
  { base: '/speke/v1.0', pathVersion: '1.0' },
  { base: '/speke/v2.0', pathVersion: '2.0' },
  { base: '/speke/v2.1', pathVersion: '2.1' },
  { base: '/EkeStage' },
]

/** Every route of the main listener. */
export function routes(options: RouteOptions): readonly Route[] {
  const { player, widevine, transfer, userAgent } = options
  const bases = [...BASE_PATHS, ...options.basePaths.map((path) => ({ base: toBasePath(path) }))]
  const answering = copyProtection(options)
  return [
    ...bases.map(({ base, ...named }) => ({ ...answering, ...named, path: `${base}/copyProtection` })),
    ...bases.map(({ base }) => heartbeat(`${base}/heartbeat`, userAgent)),
    ...operationRoutes(options),
    ...(player === undefined ? [] : [playerKey(player), clearKeyLicense(player)]),
    ...(widevine === undefined ? [] : [widevineContentKey(widevine)]),
    ...(transfer === undefined ? [] : copyProtectionData(transfer)),
  ]
}

/** The routes for operators: the state of the server, its metrics, and the management API. */
export function operationRoutes(options: Pick<RouteOptions, 'isReady' | 'metrics' | 'api'>): readonly Route[] {
  return [
    livez,
    readyz(options.isReady),
    ...(options.metrics === undefined ? [] : [metrics(options.metrics)]),
    ...(options.api === undefined ? [] : apiRoutes(options.api)),
  ]
}

function toBasePath(path: string): string {
  const bare = path.replace(/^\/+|\/+$/g, '')
  return bare === '' ? '' : `/${bare}`
}
