import type { LedgerEntry } from '../keys/ledger/ledger.ts'
import type { Call, Reply } from './call.ts'

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

/** A reply, with what the log wants to know of the keys in it. */
export interface RouteReply extends Reply {
  readonly issued?: Issued
  /** Why the caller was refused in the words of its protocol, under a status that does not tell: logged like any refusal. */
  readonly failure?: unknown
}

/** What an answer held, in numbers and names. */
export interface Issued {
  readonly tenant: string
  readonly client: string
  readonly contentId: string
  readonly keys: number
  readonly first: boolean
  /** How the caller proved who it is, and what the ledger was told; undefined where the answer was recorded already. */
  readonly method?: string
  readonly records?: readonly LedgerEntry[]
}

/** What is served at one path by one method. To add a route, write one file that makes one and one line in `routes.ts`. */
export interface Route {
  readonly name: RouteName
  /** As it is asked for, or with any one segment where it has `{name}`: such segments come last; `{...}` stands for any number. */
  readonly path: string
  /** `GET` stands for HEAD too. Another route may serve the same path by another method; `any` is for a route that looks itself. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'any'
  /** The SPEKE version that the path names, to count the requests whose header says another. */
  readonly pathVersion?: string
  /** Headers of every reply of this route, errors included. */
  headers?(call: Call): Readonly<Record<string, string>>
  /** The reply to a failure, where it is another than elsewhere. */
  refuse?(call: Call, error: unknown): Reply
  /** Answers a preflight; without it OPTIONS is not served. @see https://fetch.spec.whatwg.org/#cors-preflight-fetch */
  preflight?(call: Call): Reply
  /** `segments` are what stood for the `{name}` of the path. Throws KeyProviderError for what it refuses. */
  handle(call: Call, segments: readonly string[]): Promise<RouteReply> | RouteReply
}
