import type { ErrorCode } from '../../core/errors.ts'
import type { Kid, SystemId } from '../../formats/cenc.ts'
import type { ContentRef, Tenant } from '../../keys/ports/content-ref.ts'
import type { KeyspringEvent } from '../ports/events.ts'

interface Occurred {
  /** Milliseconds since 1970. */
  readonly at: number
}

/** The first keys of a content, or of a kid, were issued. */
export function keyIssued(
  issued: ContentRef &
    Occurred & {
      readonly kids: readonly Kid[]
      readonly systemIds?: readonly SystemId[] | undefined
      readonly client: string
      readonly spekeVersion: string
    },
): KeyspringEvent {
  const { client, spekeVersion, systemIds } = issued
  const data = { ...kidsOf(issued.kids), client, spekeVersion }
  return eventOf('key.issued', issued, systemIds === undefined ? data : { ...data, systemIds })
}

/** A request was rejected. The event names no content, because the request can name anything. */
export function requestRefused(
  refused: Occurred & {
    readonly code: ErrorCode
    readonly route: string
    readonly status: number
    readonly tenant?: Tenant | undefined
    readonly client?: string | undefined
    readonly requestId: string
  },
): KeyspringEvent {
  const { at, tenant, code, route, status, client, requestId } = refused
  const data = { code, route, status, requestId }
  return { type: 'request.refused', at, tenant, data: client === undefined ? data : { ...data, client } }
}

/** A stored value did not open: it was altered, damaged or moved, or the root key is another one. */
export function sealFailure(
  failure: Occurred & {
    readonly route: string
    readonly requestId: string
    readonly tenant?: Tenant | undefined
    readonly contentId?: string | undefined
  },
): KeyspringEvent {
  const { at, tenant, contentId, route, requestId } = failure
  return { type: 'seal.failure', at, tenant, contentId, data: { code: 'ERR_SEAL_BROKEN', route, requestId } }
}

const MAX_LIST = 100

/** The number of kids, and the first 100. */
function kidsOf(kids: readonly Kid[]): { readonly keys: number; readonly kids: readonly string[] } {
  return { keys: kids.length, kids: kids.slice(0, MAX_LIST) }
}

function eventOf(
  type: KeyspringEvent['type'],
  { tenant, contentId, at }: ContentRef & Occurred,
  data: KeyspringEvent['data'],
): KeyspringEvent {
  return { type, tenant, contentId, at, data }
}
