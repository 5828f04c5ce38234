import type { LedgerEntry } from '../keys/ledger/ledger.ts'
import type { Call } from './call.ts'
import type { Reply } from './request.ts'

/** The names of the routes in logs and metrics: a closed set, so that no label grows with traffic. */
export type RouteName =
  | 'copyProtection'
  | 'heartbeat'
  | 'livez'
  | 'readyz'
  | 'metrics'
  | 'key'
  | 'clearKeyLicense'
  | 'widevineContentKey'
  | 'copyProtectionData'
  | 'api'

/** A reply, and what log, metrics and audit record of it. */
export interface RouteReply extends Reply {
  readonly issued?: Issued
  /** The error behind a reply whose status does not show it. It is logged like any error. */
  readonly failure?: unknown
}

/** The keys of an answer, in numbers and names. */
export interface Issued {
  readonly tenant: string
  readonly client: string
  readonly contentId: string
  readonly keys: number
  readonly first: boolean
  /** How the caller authenticated. Undefined, as `records`, if the answer was recorded before. */
  readonly method?: string
  readonly records?: readonly LedgerEntry[]
}

/** What is served at one path by one method. To add a route, write one file in `routes/` and add one line to `routes.ts`. */
export interface Route {
  readonly name: RouteName
  /** A literal path, in which `{name}` stands for any one segment and a final `{...}` for any number of segments. */
  readonly path: string
  /** `GET` includes HEAD. Another route may serve the same path by another method. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'any'
  /** The size limit of the request body, in bytes. Default: `limits.bodyBytes`. */
  readonly maxBodyBytes?: number
  /** The route is answered even if too many requests are under way: it reports the state of the server. */
  readonly answersUnderLoad?: boolean
  /** The SPEKE version in the path. Requests whose header names another version are counted. */
  readonly pathVersion?: string
  /** Headers of every reply of this route, errors included. */
  headers?(call: Call): Readonly<Record<string, string>>
  /** The reply to an error, if it differs from `toReply`. */
  refuse?(call: Call, error: unknown): Reply
  /** Answers a CORS preflight. Without it, OPTIONS is not served. @see https://fetch.spec.whatwg.org/#cors-preflight-fetch */
  preflight?(call: Call): Reply
  /**
   * Answers a call; `segments` are the texts of `{name}` in the path. It must judge the head (credentials, media type)
   * before it calls `call.body()`. Throws KeyProviderError.
   */
  handle(call: Call, segments: readonly string[]): Promise<RouteReply> | RouteReply
}
