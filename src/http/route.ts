import type { Call, Reply } from './call.ts'

/** The names of the routes in logs and metrics: a closed set, so that no label grows with traffic. */
export type RouteName = 'copyProtection' | 'heartbeat' | 'livez' | 'readyz' | 'metrics'

/** A reply, with what the log wants to know of the keys in it. */
export interface RouteReply extends Reply {
  readonly issued?: Issued
}

/** What an answer held, in numbers and names. */
export interface Issued {
  readonly tenant: string
  readonly client: string
  readonly contentId: string
  readonly keys: number
  readonly first: boolean
}

/** What is served at one path. To add a route, write one file that makes one and one line in `routes.ts`. */
export interface Route {
  readonly name: RouteName
  readonly path: string
  /** `GET` stands for HEAD too. */
  readonly method: 'GET' | 'POST'
  /** The SPEKE version that the path names, to count the requests whose header says another. */
  readonly pathVersion?: string
  /** Headers of every reply of this route, errors included. */
  headers?(call: Call): Readonly<Record<string, string>>
  /** Throws KeyProviderError for what it refuses. */
  handle(call: Call): Promise<RouteReply> | RouteReply
}
